//! `models export`: checkpoints of other frameworks to models.
//!
//! The work is done by the Python scripts in models/export/, each with its
//! pinned requirements; this finds Python, gives each script an environment of
//! its own, and passes on what it says.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal::tell;
use crate::model::{ModelDirs, hash_file};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// What the checkpoint is
    #[arg(value_enum)]
    kind: Kind,
    /// Checkpoint file or folder, in a layout that models/export/README.md lists
    #[arg(value_name = "CHECKPOINT", value_hint = ValueHint::AnyPath)]
    checkpoint: Option<PathBuf>,
    /// Folder of the new model; its name becomes the model's
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Python to use as it is, with what models/export/requirements-*.txt lists
    /// installed [default: an environment made of python3 in .local/, which takes
    /// some GB and minutes the first time]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    python: Option<PathBuf>,
    /// Further arguments for the script; `-- --help` lists them
    #[arg(last = true, value_name = "ARGUMENTS")]
    rest: Vec<String>,
}

/// Kinds of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// ResNet-50 trained by SimCLR: Lightning Bolts, VISSL or Google's TensorFlow
    Simclr,
    /// ResNet-50 classifier of torchvision or timm; the features before its head
    Resnet50,
    /// CLIP or SigLIP as a Hugging Face folder
    Clip,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Simclr => "simclr",
            Self::Resnet50 => "resnet50",
            Self::Clip => "clip",
        }
    }
}

/// Runs the script.
pub(super) fn export(dirs: &ModelDirs, args: &ExportArgs) -> Result<Exit, Failure> {
    let kind = args.kind.name();
    let scripts = dirs.folder_with(&format!("export/{kind}.py"));
    let scripts = scripts.ok_or_else(|| {
        Failure::new(
            anyhow!("models/export/{kind}.py is not here"),
            "run it from the project's checkout, or point --models-dir at its models/ folder",
        )
    })?;
    let python = match &args.python {
        Some(python) => python.clone(),
        None => environment(&scripts, kind)?,
    };
    let mut script = Command::new(&python);
    script.arg(scripts.join("export").join(format!("{kind}.py")));
    script.args(&args.checkpoint);
    script.arg("--out").arg(&args.out).args(&args.rest);
    let status = script
        .status()
        .with_context(|| format!("cannot run {}", python.display()))
        .map_err(|error| Failure::new(error, "correct --python, or leave it out"))?;
    match status.code() {
        Some(0) => Ok(Exit::Done),
        // The script has said why, and what to do.
        Some(2) => Ok(Exit::Usage),
        Some(_) => Ok(Exit::Failed),
        None => Ok(Exit::Interrupted),
    }
}

/// A Python of its own for the script, with what it requires.
fn environment(models: &Path, kind: &str) -> Result<PathBuf, Failure> {
    let requirements = models.join(format!("export/requirements-{kind}.txt"));
    let root = models.parent().unwrap_or(models);
    let folder = root.join(format!(".local/venv-export-{kind}"));
    let python = folder.join("bin/python");
    let installed = folder.join("installed.sha256");
    let wanted = hash_file(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))
        .map_err(|error| Failure::new(error, "restore it from the project's repository"))?;
    if std::fs::read_to_string(&installed).is_ok_and(|hash| hash == wanted) {
        return Ok(python);
    }
    tell(&format!(
        "making a Python environment in {}",
        folder.display()
    ));
    step(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
        "install Python 3.11 or newer with venv (Debian: python3-venv), or name one that has the packages with --python",
    )?;
    step(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(&requirements),
        "check the network, pip's index setting and the disk (torch takes some GB), then start again",
    )?;
    std::fs::write(&installed, wanted)
        .with_context(|| format!("cannot write {}", installed.display()))
        .map_err(|error| Failure::new(error, "check the folder's permissions"))?;
    Ok(python)
}

fn step(command: &mut Command, hint: &str) -> Result<(), Failure> {
    let shown = format!("{} ...", command.get_program().to_string_lossy());
    let failed = |error: anyhow::Error| Failure::new(error, hint);
    let status = command
        .status()
        .with_context(|| format!("cannot run {shown}"))
        .map_err(failed)?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(anyhow!("`{shown}` failed: {status}")))
    }
}
