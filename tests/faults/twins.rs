//! Pictures of the same content, of which something goes wrong.

use std::fs;

use crate::files::{Files, count, png, settle};
use crate::scene::ROW_BYTES;

/// Black gives a vector without a direction, so that nobody's vector can be
/// copied and each twin is read again, by when one of them is another picture.
#[test]
fn a_twin_that_became_another_picture_holds_up_no_other() {
    let files = Files::new();
    let black = image::RgbImage::new(4, 4);
    for name in ["a0.png", "a1.png", "a2.png"] {
        black.save(files.path(name)).unwrap();
    }
    for number in 0..16 {
        files.write(format!("b{number:02}.png"), &png(number));
    }
    // Batches wait for the first message, and twins for the last batch.
    let changed = files.path("a1.png");
    files.milvus.once("upsert", move || {
        fs::write(changed, png(99)).unwrap();
        settle();
    });
    let run = files
        .with("--workers 1 --batch 2")
        .args(&format!("--upserts-in-flight 1 --upsert-bytes {ROW_BYTES}"));
    let ran = run.run().expect_code(3);
    let black = |name: &str| format!("{name} [embed] its vector is all zeros");
    let expected = [black("a0.png"), black("a2.png")];
    assert_eq!(files.reasons(), expected, "{}", ran.text(&[]));
    assert_eq!((count(&ran, "rejected"), count(&ran, "upserted")), (2, 17));
}
