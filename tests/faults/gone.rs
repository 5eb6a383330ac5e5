//! What looks as if it were gone, and is not.

use std::fs;

use crate::files::{Files, bound_by_modes, count, mode, png};

/// Twenty pictures in one folder, one in another, of one source.
fn two_folders() -> Files {
    let files = Files::new();
    for number in 0..20 {
        files.write(format!("full/{number:02}.png"), &png(number));
    }
    files.write("mounted/20.png", &png(20));
    let ran = both(&files, "").run();
    assert_eq!(count(&ran, "upserted"), 21, "{}", ran.text(&[]));
    files
}

fn both(files: &Files, more: &str) -> crate::support::Run {
    let run = files.bare().args("--source all").args(more);
    run.arg(files.path("full")).arg(files.path("mounted"))
}

/// A disk that is not mounted leaves its folder behind, empty.
#[test]
fn an_empty_folder_beside_a_full_one_deletes_nothing() {
    let files = two_folders();
    fs::remove_file(files.path("mounted/20.png")).unwrap();
    for words in ["--prune", "--prune --dry-run", "--verify --repair"] {
        let ran = both(&files, words).run().expect_code(1);
        let folder = files.path("mounted");
        let said = format!(
            "no row was deleted: no picture was found in {}",
            folder.display()
        );
        assert!(ran.stderr.contains(&said), "{words}: {}", ran.text(&[]));
        assert_eq!(files.stored().len(), 21, "{words}");
    }
    // With a picture in it, one that is gone is.
    files.write("mounted/21.png", &png(21));
    let ran = both(&files, "--prune").run().expect_code(0);
    assert_eq!(ran.json()["pruned"], 1);
}

/// A folder that moved, and whose old place may no longer be entered.
#[test]
fn a_row_of_a_place_that_may_not_be_looked_at_is_kept() {
    let files = two_folders();
    let away = files.beside("away");
    fs::rename(files.path("full"), &away).unwrap();
    let run = files.bare().args("--source all").arg(&away);
    run.run().expect_code(0);
    fs::create_dir(files.path("full")).unwrap();
    for number in 1..20 {
        files.write(format!("full/{number:02}.png"), &png(number));
    }
    let prune = || bound_by_modes(both(&files, "--prune"));
    mode(&away, 0);
    let ran = prune().run();
    mode(&away, 0o700);
    assert_eq!(ran.json()["pruned"], 0, "{}", ran.text(&[]));
    fs::remove_dir_all(away).unwrap();
    assert_eq!(prune().run().expect_code(0).json()["pruned"], 1);
}

/// A hidden picture that was named, of the source of the folder above it.
#[test]
fn a_picture_that_the_walk_passes_over_keeps_its_row() {
    let files = two_folders();
    let hidden = files.write("full/.hidden/30.png", &png(30));
    let root = files.path("full");
    let named = files.bare().args("--source all --root").arg(&root);
    named.arg(&hidden).run().expect_code(0);
    for words in ["--verify", "--verify --repair", "--prune"] {
        both(&files, words).run().expect_code(0);
        assert_eq!(files.stored().len(), 22, "{words}");
    }
    let found = both(&files, "--verify").run().json();
    assert_eq!(
        (&found["clean"], &found["elsewhere"]),
        (&true.into(), &1.into())
    );
    fs::write(hidden, "no picture any more").unwrap();
    let found = both(&files, "--verify").run().expect_code(3).json();
    assert_eq!(found["stale"], 1, "{found}");
}
