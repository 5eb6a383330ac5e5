//! Pictures of one pixel, of the longest sides, of none, and bombs: through the
//! real `ingest`, with the memory that it takes.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use tiff::encoder::{TiffEncoder, colortype};

use crate::bombs;
use crate::fake::Cell;
use crate::files::{Files, count};
use crate::scene::PICTURES;

/// The longest side that is taken, and that most formats can say.
const LONGEST: u32 = 65_535;

/// The longest side of a WebP.
const LONGEST_WEBP: u32 = 16_383;

/// What the whole of `ingest` may hold, by two workers of the model `pixels`,
/// over bombs that ask for gigabytes each (18 MiB were measured) and over the
/// longest pictures (32 MiB).
const MOST_KIB: u64 = 64 << 10;

/// Grey of one value in a format of the `image` crate.
fn encoded(format: ImageFormat, (width, height): (u32, u32)) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, Rgb([128; 3]))
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

fn tiff((width, height): (u32, u32)) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let pixels = vec![128; (width * height) as usize];
    TiffEncoder::new(&mut bytes)
        .unwrap()
        .write_image::<colortype::Gray8>(width, height, &pixels)
        .unwrap();
    bytes.into_inner()
}

/// A baseline JPEG of middle grey: in each block two codes of one bit, which
/// say that nothing differs.
fn jpeg((width, height): (u32, u32)) -> Vec<u8> {
    let side = |side: u32| u16::try_from(side).unwrap().to_be_bytes();
    let blocks = (width.div_ceil(8) * height.div_ceil(8)) as usize;
    // One code of one bit, for nothing.
    let table = |class: u8| [&b"\xFF\xC4\0\x14"[..], &[class, 1], &[0; 16]].concat();
    [
        &b"\xFF\xD8\xFF\xDB\0\x43\0"[..],
        &[1; 64],
        b"\xFF\xC0\0\x0B\x08",
        &side(height),
        &side(width),
        b"\x01\x01\x11\0",
        &table(0x00),
        &table(0x10),
        b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0",
        &vec![0; blocks.div_ceil(4)],
        b"\xFF\xD9",
    ]
    .concat()
}

type Encode = fn((u32, u32)) -> Vec<u8>;

/// Every format, by its extension, and the longest side that it can say.
fn formats() -> [(&'static str, u32, Encode); 6] {
    [
        ("jpg", LONGEST, jpeg),
        ("png", LONGEST, |size| encoded(ImageFormat::Png, size)),
        ("gif", LONGEST, |size| encoded(ImageFormat::Gif, size)),
        ("bmp", LONGEST, |size| encoded(ImageFormat::Bmp, size)),
        ("webp", LONGEST_WEBP, |size| {
            encoded(ImageFormat::WebP, size)
        }),
        ("tiff", LONGEST, tiff),
    ]
}

#[test]
fn the_smallest_and_the_longest_are_embedded_in_every_format() {
    let files = Files::new();
    for (extension, longest, encode) in formats() {
        for size in [
            (1, 1),
            (longest, 1),
            (1, longest),
            (longest, 2),
            (3, longest),
        ] {
            let name = format!("{}x{}.{extension}", size.0, size.1);
            files.write(name, &encode(size));
        }
    }
    let (ran, peak) = files.peak_memory(&files.ingest());
    assert_eq!(ran.code, Some(0), "{}", ran.text(&[]));
    assert_eq!(count(&ran, "upserted"), 30);
    for row in files.milvus.rows(PICTURES).values() {
        let Cell::Vector(vector) = &row["embedding"] else {
            panic!("no vector");
        };
        let grey = 128.0 / 255.0;
        let off = vector
            .iter()
            .find(|value| (**value - grey).abs() > 1.0 / 255.0);
        assert_eq!(off, None, "{:?}", row["path"]);
    }
    assert!(peak < MOST_KIB, "{peak} KiB");
}

#[test]
fn sides_beyond_the_longest_and_pictures_of_no_pixels_are_rejected() {
    let files = Files::new();
    for size in [(LONGEST + 1, 1), (1, LONGEST + 1)] {
        let name = format!("{}x{}", size.0, size.1);
        files.write(format!("{name}.png"), &encoded(ImageFormat::Png, size));
        files.write(format!("{name}.tiff"), &tiff(size));
        files.write(format!("{name}.bmp"), &encoded(ImageFormat::Bmp, size));
    }
    for (name, bytes) in bombs::headers(0) {
        // One counts from 1, and cannot say it.
        if name != "webp" {
            files.write(name, &bytes);
        }
    }
    let vp8 = b"RIFF\x16\0\0\0WEBPVP8 \x0A\0\0\0\x10\0\0\x9D\x01\x2A\0\0\0\0";
    files.write("webp", vp8);
    let ran = files.ingest().run().expect_code(3);
    let long = |size: &str, extension: &str| {
        format!(
            "{size}.{extension} [decode] a side of {} pixels is longer than 65535",
            size.replace('x', " x ")
        )
    };
    let mut expected: Vec<String> = ["bmp", "png", "tiff"]
        .into_iter()
        .flat_map(|extension| [long("1x65536", extension), long("65536x1", extension)])
        .collect();
    for name in [
        "bmp-24", "bmp-8", "gif", "jpeg", "png-grey", "png-rgb", "png-rgba", "tiff",
    ] {
        expected.push(format!("{name} [decode] the picture has no pixels (0 x 0)"));
    }
    expected.push("webp [decode] the WebP is damaged: Inconsistent image sizes".to_owned());
    expected.sort();
    assert_eq!(files.reasons(), expected, "{}", ran.text(&[]));
}

#[test]
fn bombs_take_no_memory() {
    let files = Files::new();
    files.write("zz-good.png", &encoded(ImageFormat::Png, (9, 9)));
    let bombs = bombs::all();
    for (name, bytes) in &bombs {
        files.write(name, bytes);
    }
    let (ran, peak) = files.peak_memory(&files.ingest());
    assert_eq!(
        count(&ran, "rejected"),
        bombs.len() as u64,
        "{}",
        ran.text(&[])
    );
    assert_eq!(count(&ran, "upserted"), 1);
    let limit = "pixels are more than the limit of 200000000";
    let large = files
        .reasons()
        .iter()
        .filter(|line| line.contains(limit))
        .count();
    assert!(large >= 16, "{:#?}", files.reasons());
    assert!(peak < MOST_KIB, "{peak} KiB");
}
