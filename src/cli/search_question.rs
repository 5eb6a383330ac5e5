//! The parts of a question on the command line, each with its weight.
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueHint};

use super::failure::Failure;
use crate::catalog::{Asked, AskedKind, fetch_picture, is_address};
use crate::config::ImageLimits;
use crate::entity::ImageId;
use crate::render::{PartKind, PartView};
use crate::search::{Content, Part, Question};

/// Weight of what is not looked for, where none is given: texts of one model
/// are alike by half and more, and a whole one would take all of that away.
const NOT_WEIGHT: f64 = 0.5;

/// Weight of words beside a picture, where none is given. A picture is nearer to
/// all pictures than words ever are, so that with equal weights words have no
/// say: of 504 questions 'this object, in that colour' to lit-b0 and the gallery
/// 1 % found it first with 1, 79 % with 2, 95 % with 3 and 96 % with 4, and from
/// 4 on the kind of object is lost.
const WORDS_BESIDE_PICTURE: f64 = 3.0;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is looked for")]
struct PartArgs {
    /// Words to look for; may be given several times
    #[arg(long, short, value_name = "WORDS")]
    text: Vec<String>,

    /// Picture to look for: a file, an http(s) address, or `-` for standard
    /// input; may be given several times
    #[arg(long, short, value_name = "FILE|URL|-", value_hint = ValueHint::FilePath)]
    image: Vec<String>,

    /// Stored picture to look for, by its id; may be given several times
    ///
    /// Its vector is fetched, nothing is embedded, and it is no hit itself.
    #[arg(long, value_name = "ID")]
    id: Vec<String>,

    /// Words that are not looked for
    #[arg(long, value_name = "WORDS")]
    not_text: Vec<String>,

    /// Picture that is not looked for
    #[arg(long, value_name = "FILE|URL|-", value_hint = ValueHint::FilePath)]
    not_image: Vec<String>,

    /// Weight of the part before it [default: 1; words beside a picture 3; half
    /// of that for what is not looked for]
    ///
    /// The question's vector is the sum of its parts' unit vectors, each times
    /// its weight (times -1 for what is not looked for), brought to their
    /// length: search --image shoe.jpg --text 'in red' --weight 5.
    #[arg(long, value_name = "NUMBER", value_parser = weight, allow_negative_numbers = true)]
    weight: Vec<f64>,
}

fn weight(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number > 0.0 => Ok(number),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

/// The parts in the order of the command line.
#[derive(Debug, Clone, Default)]
pub(super) struct PartsArgs {
    pub(super) parts: Vec<PartArg>,
}

/// A part as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PartArg {
    pub(super) kind: AskedKind,
    pub(super) value: String,
    /// Below zero for what is not looked for.
    pub(super) weight: f64,
}

/// A part, and its weight where one was given.
type Written = (AskedKind, String, Option<f64>);

/// Gives every part the weight that it has where none was given.
fn weighed(written: Vec<Written>) -> Vec<PartArg> {
    let is_text = |kind| matches!(kind, AskedKind::Text | AskedKind::NotText);
    let pictures = written.iter().any(|(kind, ..)| !is_text(*kind));
    let weigh = |(kind, value, weight): Written| {
        let words = if pictures && is_text(kind) {
            WORDS_BESIDE_PICTURE
        } else {
            1.0
        };
        let weight = match kind {
            AskedKind::NotText | AskedKind::NotImage => -weight.unwrap_or(NOT_WEIGHT * words),
            AskedKind::Text | AskedKind::Image | AskedKind::Id => weight.unwrap_or(words),
        };
        PartArg {
            kind,
            value,
            weight,
        }
    };
    written.into_iter().map(weigh).collect()
}

/// The flags of the parts, and what each makes.
const FLAGS: [(&str, AskedKind); 5] = [
    ("text", AskedKind::Text),
    ("image", AskedKind::Image),
    ("id", AskedKind::Id),
    ("not_text", AskedKind::NotText),
    ("not_image", AskedKind::NotImage),
];

impl FromArgMatches for PartsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut placed: Vec<(usize, Written)> = Vec::new();
        for (flag, kind) in FLAGS {
            let values = matches.get_many::<String>(flag).into_iter().flatten();
            let indices = matches.indices_of(flag).into_iter().flatten();
            let written = values.map(|value| (kind, value.clone(), None));
            placed.extend(indices.zip(written));
        }
        placed.sort_by_key(|(index, _)| *index);
        let weights = matches.get_many::<f64>("weight").into_iter().flatten();
        let indices = matches.indices_of("weight").into_iter().flatten();
        for (index, weight) in indices.zip(weights) {
            let before = placed.iter_mut().rfind(|(part, _)| *part < index);
            match before {
                Some((_, (.., unset @ None))) => *unset = Some(*weight),
                Some(_) => return Err(misplaced("two --weight stand behind one part")),
                None => return Err(misplaced("--weight stands before the part that it weighs")),
            }
        }
        Ok(Self {
            parts: weighed(placed.into_iter().map(|(_, part)| part).collect()),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn misplaced(what: &str) -> clap::Error {
    let remedy = "put each right behind its --text, --image or --id";
    clap::Error::raw(ErrorKind::ArgumentConflict, format!("{what}: {remedy}\n"))
}

impl Args for PartsArgs {
    fn augment_args(command: Command) -> Command {
        PartArgs::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        PartArgs::augment_args_for_update(command)
    }
}

impl PartArg {
    /// The part as it is told back.
    pub(super) fn view(&self) -> PartView {
        PartView {
            kind: match self.kind {
                AskedKind::Text | AskedKind::NotText => PartKind::Text,
                AskedKind::Image | AskedKind::NotImage => PartKind::Image,
                AskedKind::Id => PartKind::Id,
            },
            value: self.value.clone(),
            weight: self.weight,
        }
    }
}

/// The parts of a question of a file; paths count from `folder`.
pub(super) fn parts_of(asked: &Asked, folder: &Path) -> Vec<PartArg> {
    let part = |(kind, value): &(AskedKind, String)| {
        let value = match kind {
            AskedKind::Image | AskedKind::NotImage if !is_address(value) => {
                folder.join(value).to_string_lossy().into_owned()
            }
            _ => value.clone(),
        };
        (*kind, value, None)
    };
    weighed(asked.parts.iter().map(part).collect())
}

/// The question that `parts` make; pictures are read and fetched.
pub(super) async fn question(parts: &[PartArg]) -> Result<Question, Failure> {
    if !parts.iter().any(|part| part.weight > 0.0) {
        return Err(Failure::usage(
            anyhow::anyhow!("nothing is looked for"),
            "give --text, --image or --id, or a file of questions with --queries; --help tells more",
        ));
    }
    let mut question = Question::default();
    for part in parts {
        let content = match part.kind {
            AskedKind::Text | AskedKind::NotText => {
                if part.value.trim().is_empty() {
                    return Err(Failure::usage(
                        anyhow::anyhow!("the text is empty"),
                        "give --text some words, or leave it out and search with --image",
                    ));
                }
                Content::Text(part.value.clone())
            }
            AskedKind::Image | AskedKind::NotImage => Content::Image(picture(&part.value).await?),
            AskedKind::Id => Content::Stored(ImageId::from_stored(part.value.clone())),
        };
        question.parts.push(Part {
            content,
            weight: part.weight,
        });
    }
    Ok(question)
}

/// A picture's bytes, wherever it is.
async fn picture(name: &str) -> Result<Vec<u8>, Failure> {
    if is_address(name) {
        let most = ImageLimits::default().max_file_bytes;
        return Ok(fetch_picture(name, most).await?);
    }
    let path = PathBuf::from(name);
    let read = if name == "-" {
        let mut bytes = Vec::new();
        let stdin = std::io::stdin().lock().read_to_end(&mut bytes);
        stdin.map(|_| bytes)
    } else {
        std::fs::read(&path)
    };
    read.with_context(|| format!("cannot read the query picture {}", path.display()))
        .map_err(|error| Failure::new(error, "check the path and its permissions"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        parts: PartsArgs,
    }

    fn parsed(line: &str) -> Result<Vec<(AskedKind, String, f64)>, String> {
        let words = std::iter::once("search").chain(line.split(' '));
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let parts = line.parts.parts.into_iter();
        Ok(parts
            .map(|part| (part.kind, part.value, part.weight))
            .collect())
    }

    #[test]
    fn a_weight_belongs_to_the_part_before_it() {
        let line = "--text a --weight 2 --image b --not-text c --not-image d --weight 3 -t e";
        let part = |kind, value: &str, weight| (kind, value.to_owned(), weight);
        assert_eq!(
            parsed(line).unwrap(),
            [
                part(AskedKind::Text, "a", 2.0),
                part(AskedKind::Image, "b", 1.0),
                part(AskedKind::NotText, "c", -1.5),
                part(AskedKind::NotImage, "d", -3.0),
                part(AskedKind::Text, "e", 3.0),
            ]
        );
        assert_eq!(
            parsed("--text a --not-text b").unwrap(),
            [
                part(AskedKind::Text, "a", 1.0),
                part(AskedKind::NotText, "b", -0.5),
            ]
        );
    }

    #[test]
    fn a_weight_without_its_part_is_refused() {
        let error = parsed("--weight 2 --text a").unwrap_err();
        assert!(error.contains("before the part that it weighs"), "{error}");
        let error = parsed("--text a --weight 2 --weight 3").unwrap_err();
        assert!(error.contains("two --weight"), "{error}");
        for bad in ["0", "-1", "nan", "inf", "x"] {
            let error = parsed(&format!("--text a --weight {bad}")).unwrap_err();
            assert!(error.contains("a number above 0"), "{bad}: {error}");
        }
    }
}
