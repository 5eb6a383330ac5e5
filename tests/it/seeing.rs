//! Forms of an answer that do not go together are refused before anything is
//! asked.

use crate::support::{Ran, search};

fn refused(args: &str) -> Ran {
    let run = search()
        .args("--text cat --uri http://127.0.0.1:1")
        .args(args);
    let ran = run.run().expect_code(2);
    assert_eq!(ran.stdout, "", "{args}");
    ran
}

#[test]
fn forms_that_do_not_go_together() {
    for (name, args) in [
        ("vectors_in_a_table", "--with-vectors"),
        ("vectors_in_paths", "--with-vectors --format paths0"),
        ("vectors_on_a_page", "--with-vectors --html -"),
        ("thumbnails_in_json", "--thumbnails --format json"),
        ("a_grid_of_nothing", "--grid --thumbnails=none"),
        ("two_answers_on_stdout", "--html - --format csv"),
        ("a_page_and_pictures_on_stdout", "--html - --grid"),
        ("opening_stdout", "--html - --open"),
    ] {
        insta::assert_snapshot!(name, refused(args).text(&[]));
    }
}

#[test]
fn tmux_is_no_place_for_pictures_that_it_mislays() {
    for way in ["kitty", "iterm2"] {
        let run = search()
            .args(&format!("--text cat --thumbnails={way}"))
            .env("TMUX", "/tmp/tmux-0/default,1,0");
        let said = run.run().expect_code(2).stderr;
        assert!(said.contains("tmux") && said.contains("hint: "), "{said}");
    }
}

#[test]
fn a_way_that_is_no_way_is_named() {
    for args in ["--thumbnails=jpeg", "--format xml", "--format"] {
        let said = refused(args).stderr;
        assert!(said.contains("--help"), "{said}");
    }
    // A value needs its sign: the picture after the flag is no way to show one.
    let said = refused("--thumbnails kitty").stderr;
    assert!(said.contains("--thumbnails=kitty"), "{said}");
}
