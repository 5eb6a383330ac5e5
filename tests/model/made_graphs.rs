//! Tiny ONNX graphs, written by hand: what no shipped model is.
//! Field numbers: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3>.

const FLOAT: u64 = 1;
const INT64: u64 = 7;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [
        varint(field << 3 | 2),
        varint(value.len() as u64),
        value.to_vec(),
    ]
    .concat()
}

fn text(field: u64, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

/// An input or an output; a length of 0 is any.
fn value(name: &str, element: u64, axes: &[u64]) -> Vec<u8> {
    let axes = axes.iter().map(|axis| match axis {
        0 => bytes(1, &text(2, &format!("any of {name}"))),
        length => bytes(1, &number(1, *length)),
    });
    let shape: Vec<u8> = axes.flatten().collect();
    let tensor = [number(1, element), bytes(2, &shape)].concat();
    [text(1, name), bytes(2, &bytes(1, &tensor))].concat()
}

fn node(operator: &str, reads: &[&str], writes: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let reads: Vec<u8> = reads.iter().flat_map(|read| text(1, read)).collect();
    let attributes: Vec<u8> = attributes.iter().flat_map(|a| bytes(5, a)).collect();
    [reads, text(2, writes), text(4, operator), attributes].concat()
}

/// An attribute that is a whole number, or a list of one.
fn attribute(name: &str, value: u64, list: bool) -> Vec<u8> {
    let (field, kind) = if list { (8, 7) } else { (3, 2) };
    [text(1, name), number(field, value), number(20, kind)].concat()
}

fn model(
    nodes: &[Vec<u8>],
    weights: &[Vec<u8>],
    inputs: &[Vec<u8>],
    outputs: &[Vec<u8>],
) -> Vec<u8> {
    let parts = |field, parts: &[Vec<u8>]| -> Vec<u8> {
        parts.iter().flat_map(|part| bytes(field, part)).collect()
    };
    let graph = [
        parts(1, nodes),
        text(2, "tiny"),
        parts(5, weights),
        parts(11, inputs),
        parts(12, outputs),
    ];
    let opset = number(2, 13);
    [number(1, 8), bytes(7, &graph.concat()), bytes(8, &opset)].concat()
}

/// Means of the colours: `[n, 3]`.
fn means(of: &str, writes: &str) -> [Vec<u8>; 2] {
    [
        node("GlobalAveragePool", &[of], "pooled", &[]),
        node("Flatten", &["pooled"], writes, &[]),
    ]
}

/// Means of the colours, then 1000 classes whose weights lie in `weights.bin`
/// beside the graph: zeros, 12,000 bytes.
pub(crate) fn classifier() -> Vec<u8> {
    let outside = [text(1, "location"), text(2, "weights.bin")].concat();
    let weights = [
        number(1, 3),
        number(1, 1000),
        number(2, FLOAT),
        text(8, "W"),
        bytes(13, &outside),
        number(14, 1),
    ];
    let [pool, flatten] = means("x", "features");
    model(
        &[
            pool,
            flatten,
            node("Gemm", &["features", "W"], "scores", &[]),
        ],
        &[weights.concat()],
        &[value("x", FLOAT, &[0, 3, 0, 0])],
        &[value("scores", FLOAT, &[0, 1000])],
    )
}

/// Two of the three means, chosen so that only a run shows how many they are.
pub(crate) fn silent() -> Vec<u8> {
    let choice = [
        number(1, 3),
        number(2, 9),
        bytes(9, &[1, 0, 1]),
        text(8, "choice"),
    ];
    let [pool, flatten] = means("x", "features");
    let compress = node(
        "Compress",
        &["features", "choice"],
        "embedding",
        &[attribute("axis", 1, false)],
    );
    model(
        &[pool, flatten, compress],
        &[choice.concat()],
        &[value("x", FLOAT, &[0, 3, 32, 32])],
        &[value("embedding", FLOAT, &[0, 0])],
    )
}

/// Pictures and token ids in, an embedding of each and their products out.
pub(crate) fn combined() -> Vec<u8> {
    let [pool, flatten] = means("pixel_values", "image_embeds");
    let to_float = attribute("to", FLOAT, false);
    let tokens = attribute("axes", 1, true);
    let numbers = attribute("axis", 1, false);
    model(
        &[
            pool,
            flatten,
            node("Cast", &["input_ids"], "ids", &[to_float]),
            node("ReduceMean", &["ids"], "mean", &[tokens]),
            node(
                "Concat",
                &["mean", "mean", "mean"],
                "text_embeds",
                &[numbers],
            ),
            node("Transpose", &["text_embeds"], "turned", &[]),
            node(
                "MatMul",
                &["image_embeds", "turned"],
                "logits_per_image",
                &[],
            ),
        ],
        &[],
        &[
            value("input_ids", INT64, &[0, 0]),
            value("pixel_values", FLOAT, &[0, 3, 32, 32]),
        ],
        &[
            value("logits_per_image", FLOAT, &[0, 0]),
            value("text_embeds", FLOAT, &[0, 3]),
            value("image_embeds", FLOAT, &[0, 3]),
        ],
    )
}
