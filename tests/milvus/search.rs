//! Every option of `search`, alone and in pairs, against what a plain reading
//! of the whole collection gives.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use milvus_image_search::entity::ImageId;
use serde_json::Value;

use crate::gallery::ingested;
use crate::servers::{Collection, Server};
use crate::support::{Run, gallery, search};

/// Pictures in the gallery.
const PICTURES: usize = 138;

/// The gallery by lit-b0, ingested once for each server; the server's data go
/// away after the suite.
fn lit(server: &Server) -> &'static str {
    static LITE: OnceLock<Collection> = OnceLock::new();
    static STANDALONE: OnceLock<Collection> = OnceLock::new();
    let cell = if server.token.is_some() {
        &STANDALONE
    } else {
        &LITE
    };
    let collection = cell.get_or_init(|| {
        let collection = server.collection("options");
        ingested(server, &collection, "lit-b0");
        collection
    });
    &collection.name
}

fn on(collection: &str) -> Run {
    search().args("--format json --collection").args(collection)
}

fn hits(answer: &Value) -> Vec<Value> {
    answer["hits"].as_array().unwrap().clone()
}

fn ids(hits: &[Value]) -> Vec<String> {
    hits.iter()
        .map(|hit| hit["id"].as_str().unwrap().to_owned())
        .collect()
}

fn score(hit: &Value) -> f64 {
    hit["score"].as_f64().unwrap()
}

fn cosine(one: &Value, other: &Value) -> f64 {
    let numbers = |hit: &Value| -> Vec<f64> {
        let vector = hit["embedding"].as_array().unwrap();
        vector.iter().map(|n| n.as_f64().unwrap()).collect()
    };
    let (one, other) = (numbers(one), numbers(other));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
}

/// An option with a value, and what it must do to the list of all hits.
struct Choice {
    words: &'static [&'static str],
    keeps: fn(Vec<Value>) -> Vec<Value>,
}

fn filtered(hits: Vec<Value>, keep: impl Fn(&Value) -> bool) -> Vec<Value> {
    hits.into_iter().filter(|hit| keep(hit)).collect()
}

/// Options in the order in which they act: rows, then scores, then copies,
/// then places.
const CHOICES: &[Choice] = &[
    Choice {
        words: &["--where", "colour=red"],
        keeps: |hits| filtered(hits, |hit| hit["attributes"]["colour"] == "red"),
    },
    Choice {
        words: &["--where", "price<100"],
        keeps: |hits| {
            filtered(hits, |hit| {
                hit["attributes"]["price"]
                    .as_f64()
                    .is_some_and(|p| p < 100.0)
            })
        },
    },
    Choice {
        words: &["--filter", "attributes[\"licence\"] == \"MIT\""],
        keeps: |hits| filtered(hits, |hit| hit["attributes"]["licence"] == "MIT"),
    },
    Choice {
        words: &["--partition", "_default"],
        keeps: |hits| hits,
    },
    Choice {
        words: &["--range", "0.2..0.5"],
        keeps: |hits| filtered(hits, |hit| (0.2..=0.5).contains(&score(hit))),
    },
    Choice {
        words: &["--min-score", "0.3"],
        keeps: |hits| filtered(hits, |hit| score(hit) >= 0.3),
    },
    Choice {
        words: &["--gap=0.4"],
        keeps: |hits| {
            let best = hits.first().map_or(0.0, score);
            // Single precision decides, so the border itself is left alone.
            filtered(hits, |hit| score(hit) >= best * 0.6)
        },
    },
    Choice {
        words: &["--distinct=0.9"],
        keeps: |hits| {
            let mut kept: Vec<Value> = Vec::new();
            for hit in hits {
                if !kept.iter().any(|other| cosine(other, &hit) >= 0.9) {
                    kept.push(hit);
                }
            }
            kept
        },
    },
    Choice {
        words: &["--offset", "3"],
        keeps: |hits| hits.into_iter().skip(3).collect(),
    },
    Choice {
        words: &["--limit", "7"],
        keeps: |hits| hits.into_iter().take(7).collect(),
    },
    Choice {
        words: &["--ef", "200"],
        keeps: |hits| hits,
    },
    Choice {
        words: &["--consistency", "bounded"],
        keeps: |hits| hits,
    },
    Choice {
        words: &["--with-vectors"],
        keeps: |hits| hits,
    },
    Choice {
        words: &["--explain"],
        keeps: |hits| hits,
    },
];

/// The nearest to a stored picture, which needs no model to be run.
fn ask(server: &Server, collection: &str, words: &[&str]) -> Value {
    let id = ImageId::new("gallery", "objects/red-handbag.webp");
    let mut run = on(collection).args("--id").args(id.as_str());
    if !words.contains(&"--limit") {
        run = run.args("--limit 138");
    }
    for word in words {
        run = run.arg(word);
    }
    server.run(run).run().expect_code(0).json()
}

on_both_servers! {
    /// Each option alone, and each pair, gives just the hits that an exhaustive
    /// list leaves after it.
    fn options_alone_and_in_pairs(server: &Server) {
        let name = lit(server);
        let all = hits(&ask(server, name, &["--with-vectors"]));
        assert_eq!(all.len(), PICTURES - 1, "all but itself");
        for (place, one) in CHOICES.iter().enumerate() {
            for other in &CHOICES[place..] {
                let same = std::ptr::eq(one, other);
                let mut words = one.words.to_vec();
                let mut expected = (one.keeps)(all.clone());
                if !same {
                    words.extend(other.words);
                    expected = (other.keeps)(expected);
                }
                let answer = ask(server, name, &words);
                let found = hits(&answer);
                assert_eq!(ids(&found), ids(&expected), "{words:?}");
                for (hit, wanted) in found.iter().zip(&expected) {
                    assert!((score(hit) - score(wanted)).abs() < 1e-5, "{words:?}");
                    assert_eq!(hit["attributes"], wanted["attributes"], "{words:?}");
                    let vector = hit.get("embedding").is_some();
                    assert_eq!(vector, words.contains(&"--with-vectors"), "{words:?}");
                }
                let first = if words.contains(&"--offset") { 4 } else { 1 };
                if let Some(hit) = found.first() {
                    assert_eq!(hit["rank"], first, "{words:?}");
                }
                let explained = answer.get("explain").is_some();
                assert_eq!(explained, words.contains(&"--explain"), "{words:?}");
            }
        }
    }

    fn explain_says_what_was_done(server: &Server) {
        let name = lit(server);
        let answer = ask(server, name, &["--explain", "--limit", "5", "--ef", "99"]);
        let search = &answer["explain"]["searches"][0];
        assert_eq!(search["collection"], name);
        assert_eq!(search["index"], "HNSW");
        assert_eq!(search["parameters"], serde_json::json!({"ef": 99}));
        assert_eq!(search["consistency"], "Strong");
        assert_eq!((&search["exact"], &search["requests"]), (&false.into(), &1.into()));
        let steps = answer["explain"]["steps"].as_array().unwrap();
        let named: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
        for step in ["connect", "open collections", "fetch stored vectors", "search"] {
            assert!(named.contains(&step), "{named:?}");
        }
        let spent = steps.iter().map(|step| step["milliseconds"].as_f64().unwrap());
        assert!(spent.sum::<f64>() > 0.0);
    }

    /// A stored picture finds what its file finds, and is no hit itself.
    fn a_stored_picture_is_asked_by_its_id(server: &Server) {
        let name = lit(server);
        let picture = gallery().join("objects/red-cap.webp");
        let by_file = on(name).args("--limit 6 --image").arg(&picture);
        let by_file = hits(&server.run(by_file).run().expect_code(0).json());
        assert!(by_file[0]["path"].as_str().unwrap().ends_with("red-cap.webp"));
        let id = by_file[0]["id"].as_str().unwrap();
        let by_id = hits(&server.run(on(name).args("--limit 5 --id").args(id)).run().expect_code(0).json());
        assert_eq!(ids(&by_id), ids(&by_file[1..]));
        assert_eq!(by_id[0]["rank"], 1);
        let refused = server.run(on(name).args("--id nobody")).run().expect_code(1);
        assert!(refused.stderr.contains("does not hold the picture `nobody`"), "{refused:?}");
    }

    fn parts_count_by_their_weights(server: &Server) {
        let name = lit(server);
        let top = |words: &[&str]| {
            let run = words.iter().fold(on(name).args("--limit 3"), Run::arg);
            let hits = hits(&server.run(run).run().expect_code(0).json());
            hits[0]["display_name"].as_str().unwrap().to_owned()
        };
        let backpack = gallery().join("objects/blue-backpack.webp");
        let backpack = backpack.to_str().unwrap();
        assert_eq!(top(&["--text", "red handbag", "--text", "backpack", "--weight", "0.01"]), "Red Handbag");
        assert_eq!(top(&["--text", "red", "--weight", "0.01", "--text", "blue backpack"]), "Blue Backpack");
        assert_eq!(top(&["--image", backpack, "--text", "in red", "--weight", "0.01"]), "Blue Backpack");
        assert_eq!(top(&["--image", backpack, "--text", "in red"]), "Red Backpack");
        assert_ne!(top(&["--image", backpack, "--not-image", backpack, "--weight", "0.9", "--text", "cap"]), "Blue Backpack");
        let without = top(&["--text", "handbag", "--not-text", "red"]);
        assert!(without.ends_with("Handbag") && without != "Red Handbag", "{without}");
        let nothing = on(name).args("--image").arg(backpack).args("--not-image").arg(backpack).args("--weight 1");
        let refused = server.run(nothing).run().expect_code(1);
        assert!(refused.stderr.contains("cancel each other out"), "{refused:?}");
    }

    /// From an address and from standard input, a picture finds what its file finds.
    fn a_picture_may_come_from_anywhere(server: &Server) {
        let name = lit(server);
        let bytes = std::fs::read(gallery().join("objects/pink-cap.webp")).unwrap();
        let uri = serve(bytes.clone());
        let first = |run: Run| {
            let hits = hits(&server.run(run.args("--limit 2")).run().expect_code(0).json());
            assert!(hits[0]["path"].as_str().unwrap().ends_with("pink-cap.webp"));
            assert!(score(&hits[0]) > 0.999, "{hits:?}");
        };
        first(on(name).args("--image").args(&format!("{uri}/a.webp")));
        first(on(name).args("--image -").stdin(bytes));
        let missing = on(name).args("--image").args(&format!("{uri}/missing"));
        let said = server.run(missing).run().expect_code(1).stderr;
        assert!(said.contains("/missing answers 404"), "{said}");
        let page = on(name).args("--image").args(&format!("{uri}/page"));
        let said = server.run(page).run().expect_code(1).stderr;
        assert!(said.contains("not JPEG, PNG"), "{said}");
        let with_login = uri.replace("http://", "http://me:secret@");
        let missing = on(name).args("--image").args(&format!("{with_login}/missing"));
        let said = server.run(missing).run().expect_code(1).stderr;
        assert!(!said.contains("secret"), "{said}");
    }

    fn what_cannot_be_asked_is_refused(server: &Server) {
        let name = lit(server);
        let refused = |words: &str| {
            let id = ImageId::new("gallery", "objects/red-cap.webp");
            let run = on(name).args("--id").args(id.as_str()).args(words);
            server.run(run).run().expect_code(1).stderr
        };
        let said = refused("--partition nope");
        assert!(said.contains(&format!("`{name}` has no partition `nope`")), "{said}");
        let said = refused("--nprobe 8");
        assert!(said.contains("is HNSW, which has no nprobe\nhint: use --ef"), "{said}");
        let said = refused("--where a=1 --filter b=");
        assert!(said.contains("cannot use the filter"), "{said}");
    }

    /// Several collections are asked each with its own model.
    fn collections_are_fused_by_rank(server: &Server) {
        let name = lit(server);
        let pixels = server.collection("fused");
        ingested(server, &pixels, "pixels");
        let both = || on(name).args("--collection").args(&pixels.name);
        let picture = gallery().join("objects/green-umbrella.webp");
        let run = both().args("--limit 5 --image").arg(&picture);
        let answer = server.run(run).run().expect_code(0).json();
        assert_eq!(answer["score"], "RRF");
        let first = &hits(&answer)[0];
        assert!(first["path"].as_str().unwrap().ends_with("green-umbrella.webp"));
        let from: Vec<(&str, u64)> = first["found_in"].as_array().unwrap().iter()
            .map(|from| (from["collection"].as_str().unwrap(), from["rank"].as_u64().unwrap()))
            .collect();
        assert_eq!(from, [(name, 1), (pixels.name.as_str(), 1)]);
        assert!((score(first) - 2.0 / 61.0).abs() < 1e-6);

        // Words: only the model that knows some.
        let answer = server.run(both().args("--text").arg("red handbag")).run().expect_code(0).json();
        assert_eq!(answer["collections"][1]["left_out"], "model `pixels` does not understand text");
        assert_eq!(hits(&answer)[0]["display_name"], "Red Handbag");
        let refused = server.run(both().args("--min-score 0.1 --text x")).run().expect_code(2);
        assert!(refused.stderr.contains("do not compare"), "{refused:?}");
    }

    /// Files of questions, in each form, in order; what is none is said in its place.
    fn questions_of_a_file_are_answered_in_order(server: &Server) {
        let name = lit(server);
        let folder = tempfile::tempdir().unwrap();
        let cap = gallery().join("objects/red-cap.webp");
        std::fs::copy(&cap, folder.path().join("cap.webp")).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let lines: Vec<String> = ["red", "blue", "green", "pink", "black", "purple"].iter()
            .flat_map(|colour| ["handbag", "cap", "umbrella"].map(|kind| format!("{colour} {kind}")))
            .cycle().take(150).collect();
        let plain = file("q.txt", &lines.join("\n"));
        let run = |path: &std::path::Path| search().args("--collection").args(name).args("--limit 2 --queries").arg(path);
        let answered = server.run(run(&plain)).run().expect_code(0);
        let answers: Vec<Value> = answered.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), 150);
        for (place, (answer, text)) in answers.iter().zip(&lines).enumerate() {
            assert_eq!(answer["line"], place + 1);
            assert_eq!(answer["query"]["parts"][0]["value"], text.as_str());
            assert_eq!(hits(answer).len(), 2);
            // The same question by itself, once.
            if place == 70 {
                let alone = server.run(on(name).args("--limit 2 --text").arg(text)).run().json();
                assert_eq!(ids(&hits(answer)), ids(&hits(&alone)));
            }
        }

        let json = file("q.jsonl", concat!(
            "{\"text\":\"red handbag\",\"kind\":\"bag\"}\n",
            "{\"image\":\"cap.webp\"}\n",
            "{\"image\":\"missing.webp\"}\n",
            "no question\n",
            "{\"id\":\"nobody\"}\n",
            "{\"text\":[\"red\",\"cap\"],\"not_text\":\"handbag\"}\n",
        ));
        let ran = server.run(run(&json)).run().expect_code(3);
        let answers: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), 6);
        assert_eq!(answers[0]["query"]["fields"]["kind"], "bag");
        assert_eq!(hits(&answers[0])[0]["display_name"], "Red Handbag");
        assert!(hits(&answers[1])[0]["path"].as_str().unwrap().ends_with("red-cap.webp"));
        for (place, why) in [(2, "missing.webp"), (3, "not a JSON object"), (4, "does not hold the picture")] {
            assert!(answers[place]["error"].as_str().unwrap().contains(why), "{}", answers[place]);
        }
        assert_eq!(answers[5]["query"]["parts"].as_array().unwrap().len(), 3);
        assert!(ran.stderr.contains("3 of the questions could not be answered"), "{}", ran.stderr);

        let csv = file("q.csv", "text;colour\nred handbag;red\n;none\n");
        let ran = server.run(run(&csv)).run().expect_code(3);
        assert_eq!(ran.stdout.lines().count(), 2);
        let empty = file("empty.txt", "");
        assert_eq!(server.run(run(&empty)).run().expect_code(0).stdout, "");
    }
}

/// A server of one picture, of a page, and of nothing else.
fn serve(picture: Vec<u8>) -> String {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            let (status, body) = match asked.split(' ').nth(1) {
                Some("/a.webp") => ("200 OK", &picture[..]),
                Some("/page") => ("200 OK", &b"<html>no picture</html>"[..]),
                _ => ("404 Not Found", &b""[..]),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(body).unwrap();
        }
    });
    uri
}

/// Ten thousand questions stream: memory does not grow with them.
#[test]
fn ten_thousand_questions_take_no_more_memory_than_two_thousand() {
    use std::io::{BufRead, BufReader, Write};
    let server = Server::lite();
    let name = lit(&server);
    let all = hits(&ask(&server, name, &[]));
    let ids = ids(&all);
    let run = search()
        .args("--collection")
        .args(name)
        .args("--limit 3 --queries -");
    let mut child = server.run(run).command().spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        for number in 0..10_000 {
            writeln!(
                stdin,
                "{{\"id\":\"{}\",\"n\":{number}}}",
                ids[number % ids.len()]
            )
            .unwrap();
        }
    });
    let peak = |pid: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches("kB").trim();
        kib.parse().unwrap()
    };
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut early = 0;
    let mut seen = BTreeSet::new();
    let mut late = 0;
    for (place, line) in answers.enumerate() {
        let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(answer["query"]["fields"]["n"], place);
        assert_eq!(answer["hits"].as_array().unwrap().len(), 3);
        seen.insert(place);
        match place {
            2_000 => early = peak(child.id()),
            9_900 => late = peak(child.id()),
            _ => {}
        }
    }
    writing.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(seen.len(), 10_000);
    assert!(late < early + 8 * 1024, "{early} KiB, then {late} KiB");
}
