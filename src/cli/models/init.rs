//! `models init`: a manifest for a graph that has none.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::ValueHint;

use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::embed::{Runtime, before_last_layer, inspect, weights_outside};
use crate::model::draft::{
    Draft, IMAGE_SIDE_FILES, Kind, Known, Material, SideFiles, TEXT_SIDE_FILES, Tower, draft,
    kind_of,
};
use crate::model::{Adopted, Manifest, Model, ModelDirs, adopt, is_name, write_manifest};
use crate::render::printable;

/// What a manifest is made from, and where it goes.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// Graph that turns pictures into embeddings
    #[arg(value_name = "FILE.onnx", value_hint = ValueHint::FilePath)]
    image: PathBuf,

    /// Graph that turns texts into embeddings
    #[arg(long, value_name = "FILE.onnx", value_hint = ValueHint::FilePath)]
    text: Option<PathBuf>,

    /// Tokeniser of the text graph [default: the tokenizer.json beside the
    /// graphs, else that of --like]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    tokenizer: Option<PathBuf>,

    /// Folder of the model; files from elsewhere are linked or copied into it
    /// [default: the folder of FILE.onnx]
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,

    /// Name of the model, which is its folder's name too [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Known model that takes pictures and texts prepared in the same way
    #[arg(long, value_name = "MODEL")]
    like: Option<String>,

    /// Replace a model.toml, and files of the same names, that are there
    #[arg(long)]
    force: bool,

    /// Print the manifest and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// The text side, before its manifest.
struct TextSide {
    tower: Tower,
    graph: PathBuf,
    tokenizer: PathBuf,
}

/// Drafts the manifest, and writes it with its files.
pub(super) fn init(dirs: &ModelDirs, args: &InitArgs, quiet: bool) -> Result<Exit, Failure> {
    for file in [
        Some(&args.image),
        args.text.as_ref(),
        args.tokenizer.as_ref(),
    ] {
        file.map_or(Ok(()), |file| must_be_file(file))?;
    }
    let folder = args.out.clone().unwrap_or_else(|| folder_of(&args.image));
    let name = name(args, &folder)?;
    let manifest = folder.join("model.toml");
    if manifest.exists() && !args.force && !args.dry_run {
        return Err(Failure::new(
            anyhow!("{} is there already", manifest.display()),
            "replace it with --force, look at the new one with --dry-run, or name another folder with --out",
        ));
    }
    let like = args.like.as_ref().map(|like| dirs.open(like)).transpose()?;
    let (material, files) = gather(args, name, &folder, like.as_ref())?;
    let drafted = draft(&material)?;
    if drafted.asked.is_empty() {
        // Nothing is open, so nothing may be wrong either.
        Manifest::parse(&drafted.text).map_err(|problem| {
            let error = anyhow::Error::from(problem).context("no manifest can describe this model");
            Failure::new(error, "export the graph with a size that is supported")
        })?;
    }
    if args.dry_run {
        terminal::print(|out| out.write_all(drafted.text.as_bytes()))?;
        return Ok(Exit::Done);
    }
    std::fs::create_dir_all(&folder).map_err(|error| {
        let error = anyhow::Error::from(error);
        let error = error.context(format!("cannot create {}", folder.display()));
        Failure::new(
            error,
            "check its permissions, or name another folder with --out",
        )
    })?;
    for file in &files {
        adopt(file, &folder, args.force)?;
    }
    let written = write_manifest(&folder, &drafted.text)?;
    if !quiet {
        report(&drafted, &material.name, &written, &folder)?;
    }
    Ok(Exit::Done)
}

/// Looks into the graphs and the files beside them.
fn gather(
    args: &InitArgs,
    name: String,
    folder: &Path,
    like: Option<&Model>,
) -> Result<(Material, Vec<Adopted>), Failure> {
    let mut sides = SideFiles::new();
    read_sides(&mut sides, &IMAGE_SIDE_FILES, &folders_of(&args.image))?;
    let known_like = || like.map_or_else(Known::default, |like| Known::of_model(&like.manifest));
    let size = known_like().or(Known::beside(&sides)?).size();
    let runtime = Runtime::load()?;
    let (image, combined) = image_side(&runtime, &args.image, folder, size)?;
    let text = text_side(&runtime, args, folder, combined, like)?;
    if let Some(text) = &text {
        let mut folders = folders_of(&text.tokenizer);
        folders.extend(folders_of(&text.graph));
        read_sides(&mut sides, &TEXT_SIDE_FILES, &folders)?;
        sides.insert("tokenizer.json", read(&text.tokenizer)?);
    }
    let files = files(&args.image, text.as_ref(), folder)?;
    let text = text.map(|text| {
        let tokenizer = Adopted::plan(&text.tokenizer, folder)?;
        Ok::<_, Failure>((text.tower, tokenizer.entry.path))
    });
    let material = Material {
        name,
        image,
        text: text.transpose()?,
        files: files.iter().map(|file| file.entry.clone()).collect(),
        known: known_like().or(Known::beside(&sides)?),
    };
    Ok((material, files))
}

/// The image side, and where its file holds a text side too, that.
fn image_side(
    runtime: &Runtime,
    path: &Path,
    folder: &Path,
    size: Option<(u32, u32)>,
) -> Result<(Tower, Option<Tower>), Failure> {
    let file = Adopted::plan(path, folder)?.entry.path;
    let look = |cut_to: Option<&str>| {
        let facts = inspect(runtime, path, cut_to, size).map_err(|error| {
            Failure::new(
                error.into(),
                "give the path of an ONNX graph, as the model's export made it",
            )
        })?;
        let file = file.clone();
        let cut = cut_to.is_some();
        Ok::<_, Failure>(Tower {
            file,
            facts,
            cut,
            classes: None,
        })
    };
    let whole = look(None)?;
    match kind_of(&file, &whole.facts)? {
        Kind::Image => Ok((whole, None)),
        Kind::Combined { image, text } => Ok((look(Some(&image))?, Some(look(Some(&text))?))),
        Kind::Classifier { output } => {
            let features = before_last_layer(path, &output)?;
            let mut tower = match features {
                Some(features) => look(Some(&features))?,
                None => whole,
            };
            tower.classes = Some(output);
            Ok((tower, None))
        }
    }
}

fn text_side(
    runtime: &Runtime,
    args: &InitArgs,
    folder: &Path,
    combined: Option<Tower>,
    like: Option<&Model>,
) -> Result<Option<TextSide>, Failure> {
    let (tower, graph) = match (combined, &args.text) {
        (None, None) if args.tokenizer.is_none() => return Ok(None),
        (None, None) => {
            let error = anyhow!("--tokenizer is given, and no text graph");
            return Err(Failure::usage(
                error,
                "add --text FILE.onnx, or leave --tokenizer out",
            ));
        }
        (Some(_), Some(_)) => {
            let error = anyhow!("{} holds a text side already", args.image.display());
            return Err(Failure::usage(error, "leave --text out"));
        }
        (Some(tower), None) => (tower, args.image.clone()),
        (None, Some(path)) => {
            let facts = inspect(runtime, path, None, None).map_err(|error| {
                Failure::new(error.into(), "give the path of an ONNX graph to --text")
            })?;
            let file = Adopted::plan(path, folder)?.entry.path;
            let (cut, classes) = (false, None);
            (
                Tower {
                    file,
                    facts,
                    cut,
                    classes,
                },
                path.clone(),
            )
        }
    };
    let of_like = || {
        let like = like?;
        Some(like.path_of(&like.manifest.text.as_ref()?.tokenizer))
    };
    let folders = folders_of(&graph)
        .into_iter()
        .chain(folders_of(&args.image));
    let mut places = folders
        .map(|folder| folder.join("tokenizer.json"))
        .chain(of_like());
    let tokenizer = args
        .tokenizer
        .clone()
        .or_else(|| places.find(|place| place.is_file()));
    let tokenizer = tokenizer.ok_or_else(|| {
        let error = anyhow!("{} has no tokenizer.json beside it", graph.display());
        Failure::usage(error, "name the model's tokeniser with --tokenizer FILE")
    })?;
    Ok(Some(TextSide {
        tower,
        graph,
        tokenizer,
    }))
}

/// Every file of the model once: graphs, their weights, the tokeniser.
fn files(image: &Path, text: Option<&TextSide>, folder: &Path) -> Result<Vec<Adopted>, Failure> {
    let mut files: Vec<Adopted> = Vec::new();
    let graphs = [Some(image), text.map(|text| text.graph.as_path())];
    let mut paths = Vec::new();
    for graph in graphs.into_iter().flatten() {
        paths.push(graph.to_owned());
        let weights = weights_outside(graph)?;
        paths.extend(weights.iter().map(|weights| folder_of(graph).join(weights)));
    }
    paths.extend(text.map(|text| text.tokenizer.clone()));
    for path in paths {
        let file = Adopted::plan(&path, folder)?;
        match files
            .iter()
            .find(|known| known.entry.path == file.entry.path)
        {
            None => files.push(file),
            Some(same) if same.entry == file.entry => {}
            Some(other) => {
                let (path, from) = (&other.entry.path, other.from.display());
                let error = anyhow!("{from} and {} would both be {path}", file.from.display());
                return Err(Failure::new(error, "rename one of the two"));
            }
        }
    }
    Ok(files)
}

fn name(args: &InitArgs, folder: &Path) -> Result<String, Failure> {
    let place = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let found = place
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let found = found.unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| found.clone());
    if !is_name(&name) {
        let error = anyhow!("a model cannot be called {name:?}");
        let hint = "a name is letters, digits, `-`, `_` and `.`, and does not start with a dot: name another folder with --out";
        return Err(Failure::usage(error, hint));
    }
    if name != found {
        let error = anyhow!("the model is called `{name}`, its folder `{found}`");
        let right = place.with_file_name(&name);
        let hint = format!(
            "a model has the name of its folder: leave --name out, or add `--out {}`",
            right.display()
        );
        return Err(Failure::usage(error, &hint));
    }
    Ok(name)
}

fn report(drafted: &Draft, name: &str, written: &Path, folder: &Path) -> Result<(), Failure> {
    let asked = drafted.asked.len();
    let plain =
        folder.components().count() == 1 && folder.is_relative() && folder != Path::new(".");
    let folder = if plain {
        Path::new(".").join(folder)
    } else {
        folder.to_owned()
    };
    let (folder, written) = (folder.display(), written.display());
    terminal::print(|out| {
        writeln!(
            out,
            "{name}: {} told, {asked} asked, written to {written}",
            drafted.told.len()
        )?;
        for line in &drafted.told {
            writeln!(out, "  told: {}", printable(line))?;
        }
        for line in &drafted.asked {
            writeln!(out, "  asked: {}", printable(line))?;
        }
        let first = if asked == 0 {
            ""
        } else {
            "answer what is asked in the file, then "
        };
        writeln!(out, "next: {first}`models check {folder}`")
    })
}

fn must_be_file(path: &Path) -> Result<(), Failure> {
    if path.is_file() {
        return Ok(());
    }
    let error = anyhow!("there is no file {}", path.display());
    Err(Failure::new(error, "check the path"))
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Where the files lie that belong to `file`: beside it, and one folder up
/// where it lies in a folder `onnx`, as on the hub.
fn folders_of(file: &Path) -> Vec<PathBuf> {
    let folder = folder_of(file);
    let above = folder.join("..");
    let on_hub = folder
        .canonicalize()
        .is_ok_and(|folder| folder.ends_with("onnx"));
    let mut folders = vec![folder];
    if on_hub {
        folders.push(above);
    }
    folders
}

/// Reads the files called `names`, each from the first folder that has it.
fn read_sides(
    sides: &mut SideFiles,
    names: &[&'static str],
    folders: &[PathBuf],
) -> Result<(), Failure> {
    for name in names {
        let mut places = folders.iter().map(|folder| folder.join(name));
        if let Some(place) = places.find(|place| place.is_file()) {
            sides.insert(name, read(&place)?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let error = anyhow::Error::from(error).context(format!("cannot read {}", path.display()));
        Failure::new(error, "check the file and its permissions")
    })
}
