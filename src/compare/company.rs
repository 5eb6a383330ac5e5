//! Whether a model gives a picture the same vector in any company.
//!
//! A graph that is quantised dynamically takes its scales over the whole batch,
//! so that a picture's vector depends on the pictures beside it.

use std::path::PathBuf;

use super::embedding::{Side, picture};
use super::metrics::spread;
use super::sample::Listed;
use super::{CompareError, Observer, go_on};
use crate::config::ImageLimits;
use crate::embed::{VisionTower, cosine};
use crate::model::Model;

/// Pictures that are embedded one by one and as a batch.
pub const COMPANY: usize = 16;

/// Pictures of the test, decoded anew: up to [`COMPANY`] of `paths`, evenly
/// spread, since neighbours in a folder are alike.
pub(super) fn measure(
    paths: &[PathBuf],
    limits: &ImageLimits,
    models: [&Model; 2],
    towers: &mut [VisionTower; 2],
    observer: &dyn Observer,
) -> Result<[Option<f64>; 2], CompareError> {
    let [a, b] = towers;
    let mut sides = [
        Side::new(models[0], a, COMPANY),
        Side::new(models[1], b, COMPANY),
    ];
    let mut placed = 0;
    for position in spread(paths.len(), COMPANY) {
        let listed = Listed {
            path: paths[position].clone(),
            problem: None,
        };
        // It was fine a moment ago; one that has gone is left out.
        if let Ok(image) = picture(&listed, limits) {
            for side in &mut sides {
                side.place(&image, placed);
            }
            placed += 1;
        }
    }
    let [a, b] = &mut sides;
    Ok([worst(a, placed, observer)?, worst(b, placed, observer)?])
}

/// Least cosine between the vector of a picture alone and in the batch.
fn worst(
    side: &mut Side<'_>,
    count: usize,
    observer: &dyn Observer,
) -> Result<Option<f64>, CompareError> {
    if count < 2 {
        return Ok(None);
    }
    go_on(observer)?;
    let together = side.embed(count)?;
    let mut least: Option<f64> = None;
    for (place, together) in together.iter().enumerate() {
        go_on(observer)?;
        let alone = side.embed_from(place, 1)?;
        if let (Some(Ok(alone)), Ok(together)) = (alone.first(), together) {
            let cosine = cosine(alone, together);
            least = Some(least.map_or(cosine, |least| least.min(cosine)));
        }
    }
    Ok(least)
}
