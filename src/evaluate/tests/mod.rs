//! Reports of a made-up evaluation, and the numbers against other programs'.

mod reference;
mod sweeps;

use std::collections::HashMap;

use super::metrics::{Judged, Measure};
use super::page::{Picture, write_page};
use super::report::{write_json, write_queries, write_table};
use super::summary::Summary;
use super::{Answer, Asked, Evaluation, Shown, System};
use crate::entity::ImageId;

const DEPTH: usize = 6;

/// An answer whose relevant hits stand at these ranks; two pictures are
/// relevant. Where `ranks` is `None`, nothing is.
fn answer(query: usize, ranks: Option<&[usize]>) -> Answer {
    let path = |place: usize| match query {
        0 => format!("/shop/<b>\"{place}\".jpg"),
        _ => format!("/shop/{query}-{place}.jpg"),
    };
    let grade = |rank: &usize| u32::from(ranks.is_some_and(|ranks| ranks.contains(rank)));
    let found = ranks.unwrap_or_default();
    let missed = (0..2 - found.len()).map(|missed| 100 + missed);
    let relevant: HashMap<usize, u32> = found
        .iter()
        .copied()
        .chain(missed)
        .map(|p| (p, 1))
        .collect();
    let judged = ranks.and_then(|_| Judged::new(1..=DEPTH, &relevant, DEPTH));
    let shown = (1..=DEPTH).map(|rank| Shown {
        id: ImageId::new("shop", &path(rank)),
        path: path(rank),
        score: 1.0 / f32::from(u8::try_from(rank).unwrap()),
        grade: grade(&rank),
    });
    Answer {
        judged,
        problem: None,
        shown: shown.collect(),
    }
}

/// `systems` collections over twelve queries, the first the best.
fn evaluation(systems: usize) -> Evaluation {
    let queries: Vec<Asked> = (0..12)
        .map(|query| Asked {
            name: if query == 0 {
                "<script>alert(1)</script> & \u{1b}[31m".to_owned()
            } else {
                format!("query {query}")
            },
            picture: (query % 2 == 1).then(|| format!("/queries/{query}.jpg")),
        })
        .collect();
    let system = |system: usize| System {
        collection: format!("shop_{system}"),
        model: ["clip", "resnet50", "pixels", "simclr"][system].to_owned(),
        answers: (0..12)
            .map(|query| match (query, system) {
                (11, _) => answer(query, None),
                (q, 0) if q < 9 => answer(query, Some(&[1, 2])),
                (_, 0) => answer(query, Some(&[2])),
                (q, 1) => answer(query, Some(&[1 + q % 3, 5])),
                (0, _) => answer(query, Some(&[])),
                (q, _) => answer(query, Some(&[2 + q % 4])),
            })
            .collect(),
    };
    let systems: Vec<System> = (0..systems).map(system).collect();
    Evaluation::new(queries, systems, Measure::at(&[1, 5]), DEPTH)
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn tables() {
    let table = |systems| text(|out| write_table(&evaluation(systems), out));
    insta::assert_snapshot!("one", table(1));
    insta::assert_snapshot!("two", table(2));
    insta::assert_snapshot!("four", table(4));
}

#[test]
fn nothing_to_judge_by_is_said() {
    let mut evaluation = evaluation(2);
    for system in &mut evaluation.systems {
        system
            .answers
            .iter_mut()
            .for_each(|answer| answer.judged = None);
    }
    let nothing = vec![None; 12];
    evaluation.summary = Summary::new(Measure::at(&[1]), &[nothing.clone(), nothing]);
    insta::assert_snapshot!("nothing", text(|out| write_table(&evaluation, out)));
    let page = text(|out| write_page(&evaluation, &mut |_| None, out));
    assert!(page.contains("12 queries have nothing relevant"), "{page}");
    assert!(!page.contains("<article"), "no query can be best or worst");
}

#[test]
fn json_holds_every_number_of_the_table() {
    let document = text(|out| write_json(&evaluation(3), out));
    assert_eq!(document.lines().count(), 1);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(
        (
            &document["queries"],
            &document["counted"],
            &document["left_out"]
        ),
        (&12.into(), &11.into(), &1.into())
    );
    let clip = &document["systems"][0]["measures"];
    assert_eq!(clip.as_object().unwrap().len(), 8);
    let recall = clip["recall@5"]["mean"].as_f64().unwrap();
    assert!((recall - 10.0 / 11.0).abs() < 1e-12, "{recall}");
    let pairs = document["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 3 * 8);
    for pair in pairs {
        let p = |name: &str| pair[name].as_f64().unwrap();
        assert!(p("p") <= p("p_holm") && p("low") <= p("high"), "{pair}");
    }
}

#[test]
fn every_query_has_a_line_for_each_system() {
    let lines = text(|out| write_queries(&evaluation(2), out));
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 24);
    let order: Vec<_> = lines
        .iter()
        .map(|l| {
            (
                l["query"].as_u64().unwrap(),
                l["collection"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(order[..3], [(1, "shop_0"), (1, "shop_1"), (2, "shop_0")]);
    assert_eq!(lines[0]["measures"]["recall@1"], 0.5);
    assert_eq!(lines[0]["hits"][0]["grade"], 1);
    assert_eq!(lines[0]["hits"].as_array().unwrap().len(), DEPTH);
    assert_eq!(
        (&lines[22]["measures"], &lines[22]["relevant"]),
        (&serde_json::Value::Null, &0.into())
    );
}

#[test]
fn the_page_needs_no_network_and_no_text_leaves_its_place() {
    let mut asked = Vec::new();
    let page = text(|out| {
        let mut picture = |path: &str| {
            asked.push(path.to_owned());
            path.contains("1-").then(|| Picture {
                media_type: "image/png",
                bytes: b"picture".to_vec(),
            })
        };
        write_page(&evaluation(2), &mut picture, out)
    });
    assert!(
        !page.contains("http:") && !page.contains("https:") && !page.contains("<script"),
        "{page}"
    );
    assert!(
        !page.contains('\u{1b}') && !page.contains("<b>\"1"),
        "{page}"
    );
    let sources: Vec<&str> = page.split("<image ").skip(1).collect();
    assert!(!sources.is_empty());
    assert!(
        sources
            .iter()
            .all(|s| s.contains("href=\"data:image/png;base64,"))
    );
    assert!(!page.contains("src="));
    // Both systems show the same six pictures: each stands in the page once.
    assert_eq!((sources.len(), page.matches("<use ").count()), (6, 6));
    asked.sort_unstable();
    assert!(asked.windows(2).all(|pair| pair[0] != pair[1]), "{asked:?}");
    // Eleven queries can be judged: a third, rounded up, in each section.
    assert_eq!(page.matches("<article").count(), 11);
    assert_eq!(page.matches("<ol").count(), page.matches("</ol>").count());
    assert!(asked.contains(&"/queries/9.jpg".to_owned()), "{asked:?}");
    let (worst, rest) = page.split_once("Where they differ").unwrap();
    assert!(worst.contains("query 10") && !rest.contains("query 10"));
}
