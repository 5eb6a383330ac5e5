//! What the terminal on standard output is, and how it draws pictures.
//!
//! Terminals that say in the environment what they are get their own protocol.
//! The others are asked by two questions that each of them understands or
//! passes over, the primary device attributes (4 in the answer are sixels) and
//! the size of a character, with half a second to answer. kitty's own question
//! is not asked: some terminals print it.

#[cfg(unix)]
mod ask;

use std::io::{self, IsTerminal};

use clap::ValueEnum;

use crate::render::Screen;
use crate::render::terminal::{CellPixels, Protocol, Terminal};

/// How thumbnails are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Thumbnails {
    /// What the terminal knows best
    Auto,
    /// By kitty's protocol (kitty, Ghostty, Konsole)
    Kitty,
    /// By iTerm2's protocol (iTerm2, WezTerm, mintty, VS Code)
    Iterm2,
    /// As sixels (xterm, foot, mlterm, Windows Terminal)
    Sixel,
    /// As half blocks in colour, in every terminal
    Blocks,
    /// Not at all
    None,
}

/// What a terminal says of itself when asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Answers {
    /// Whether it shows sixels.
    sixel: bool,
    /// Size of its characters.
    cell: Option<CellPixels>,
}

/// What the environment says about pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The terminal knows this.
    Draws(Protocol),
    /// Nothing: it has to be asked.
    Nothing,
    /// It shows neither colours nor pictures.
    Dumb,
}

/// Size of the terminal on standard output, as far as the system knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    columns: Option<usize>,
    rows: Option<u32>,
    cell: Option<CellPixels>,
}

/// The screen for tables, and how pictures are drawn on it, where they are.
pub(super) fn find(way: Thumbnails) -> (Screen, Option<Terminal>) {
    let is_terminal = io::stdout().is_terminal();
    let extent = if is_terminal {
        extent()
    } else {
        Extent::default()
    };
    let says = environment_says(variable);
    let screen = Screen {
        width: extent.columns,
        colour: is_terminal && says != Says::Dumb && variable("NO_COLOR").is_none(),
    };
    let drawing = choose(way, is_terminal, says).map(|choice| {
        let asked = match choice {
            Choice::Ask => ask(),
            Choice::Use(Protocol::Sixel) if is_terminal && extent.cell.is_none() => ask(),
            Choice::Use(_) => Answers::default(),
        };
        let protocol = match choice {
            Choice::Use(protocol) => protocol,
            Choice::Ask if asked.sixel => Protocol::Sixel,
            Choice::Ask => blocks(),
        };
        Terminal {
            screen,
            rows: extent.rows,
            cell: asked.cell.or(extent.cell).unwrap_or_default(),
            protocol,
        }
    });
    (screen, drawing)
}

/// Whether tmux is in the way: it can hand kitty's and iTerm2's pictures on, but
/// to where the cursor of the terminal outside happens to be (seen with 3.3a).
pub(super) fn is_swallowed_by_tmux(way: Thumbnails) -> bool {
    matches!(way, Thumbnails::Kitty | Thumbnails::Iterm2) && variable("TMUX").is_some()
}

/// How pictures are drawn, before the terminal was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Use(Protocol),
    Ask,
}

fn choose(way: Thumbnails, is_terminal: bool, says: Says) -> Option<Choice> {
    match way {
        Thumbnails::None => None,
        Thumbnails::Kitty => Some(Choice::Use(Protocol::Kitty)),
        Thumbnails::Iterm2 => Some(Choice::Use(Protocol::Iterm2)),
        Thumbnails::Sixel => Some(Choice::Use(Protocol::Sixel)),
        Thumbnails::Blocks => Some(Choice::Use(blocks())),
        Thumbnails::Auto => match says {
            Says::Dumb => None,
            _ if !is_terminal => None,
            Says::Draws(protocol) => Some(Choice::Use(protocol)),
            Says::Nothing => Some(Choice::Ask),
        },
    }
}

/// Half blocks in as many colours as the terminal says it has.
fn blocks() -> Protocol {
    let true_colour = variable("COLORTERM").is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        name == "truecolor" || name == "24bit"
    }) || variable("TERM").is_some_and(|name| name.ends_with("-direct"));
    Protocol::Blocks { true_colour }
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
}

fn environment_says(variable: impl Fn(&str) -> Option<String>) -> Says {
    let term = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let is_set = |name| variable(name).is_some();
    if term == "dumb" {
        return Says::Dumb;
    }
    // What runs inside has the variables of the terminal outside, perhaps of
    // one that was left long ago.
    if is_set("TMUX") || term.starts_with("tmux") || term.starts_with("screen") {
        return Says::Nothing;
    }
    if is_set("KITTY_WINDOW_ID") || term.contains("kitty") || term.contains("ghostty") {
        return Says::Draws(Protocol::Kitty);
    }
    if program == "WezTerm" || is_set("WEZTERM_PANE") {
        return Says::Draws(Protocol::Iterm2);
    }
    if program == "iTerm.app" || variable("LC_TERMINAL").as_deref() == Some("iTerm2") {
        return Says::Draws(Protocol::Iterm2);
    }
    Says::Nothing
}

#[cfg(unix)]
fn extent() -> Extent {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let some = |number: u16| (number > 0).then_some(number);
    let columns = size.and_then(|size| some(size.ws_col)).map(usize::from);
    let cell = size.and_then(|size| {
        Some(CellPixels {
            width: u32::from(some(size.ws_xpixel / size.ws_col.max(1))?),
            height: u32::from(some(size.ws_ypixel / size.ws_row.max(1))?),
        })
    });
    Extent {
        columns: columns.or_else(columns_by_environment),
        rows: size.and_then(|size| some(size.ws_row)).map(u32::from),
        cell,
    }
}

#[cfg(not(unix))]
fn extent() -> Extent {
    Extent {
        columns: columns_by_environment(),
        ..Extent::default()
    }
}

fn columns_by_environment() -> Option<usize> {
    let columns = variable("COLUMNS")?.parse().ok()?;
    (columns > 0).then_some(columns)
}

/// A terminal that does not answer shows no sixels.
#[cfg(unix)]
fn ask() -> Answers {
    ask::terminal().unwrap_or_default()
}

#[cfg(not(unix))]
fn ask() -> Answers {
    Answers::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(variables: &[(&str, &str)]) -> Says {
        environment_says(|name| {
            let found = variables.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terminals_are_known_by_their_environment() {
        let kitty = Says::Draws(Protocol::Kitty);
        let iterm2 = Says::Draws(Protocol::Iterm2);
        for (variables, expected) in [
            (&[("TERM", "xterm-kitty")][..], kitty),
            (
                &[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")],
                kitty,
            ),
            (&[("TERM", "xterm-ghostty")], kitty),
            (
                &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")],
                iterm2,
            ),
            (
                &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")],
                iterm2,
            ),
            (
                &[("TERM", "xterm-256color"), ("LC_TERMINAL", "iTerm2")],
                iterm2,
            ),
            (&[("TERM", "xterm-256color")], Says::Nothing),
            (
                &[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")],
                Says::Nothing,
            ),
            (
                &[("TERM", "xterm-kitty"), ("TMUX", "/tmp/x,1,0")],
                Says::Nothing,
            ),
            (&[("TERM", "dumb"), ("KITTY_WINDOW_ID", "1")], Says::Dumb),
            (&[], Says::Nothing),
        ] {
            assert_eq!(says(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_pipe_gets_pictures_only_when_they_are_named() {
        use Thumbnails::{Auto, None as No, Sixel};
        assert_eq!(choose(Auto, false, Says::Draws(Protocol::Kitty)), None);
        assert_eq!(choose(Auto, true, Says::Dumb), None);
        assert_eq!(choose(Auto, true, Says::Nothing), Some(Choice::Ask));
        let sixel = Some(Choice::Use(Protocol::Sixel));
        assert_eq!(choose(Sixel, false, Says::Dumb), sixel);
        assert_eq!(choose(No, true, Says::Nothing), None);
    }
}
