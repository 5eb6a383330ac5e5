//! Cutting an ONNX graph down to what one tensor needs.
//!
//! For models whose file holds more than the manifest asks for: an inner tensor
//! that is no output (the features before a classifier), or two towers in one
//! graph. Nodes, weights and inputs that the tensor does not depend on are left
//! out, and the tensor becomes the one output.
//!
//! Works on the wire format of Protocol Buffers: what is kept is copied byte by
//! byte and never understood, so nothing of a newer ONNX is lost.
//! Field numbers: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3>.

use std::collections::{HashMap, HashSet};

/// Why a graph cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CutError {
    /// Not the wire format, or not a model.
    Malformed,
    /// No node makes the tensor. The graph's own outputs.
    NoSuchTensor(Vec<String>),
}

const MODEL_GRAPH: u64 = 7;
const GRAPH_NODE: u64 = 1;
const GRAPH_INITIALIZER: u64 = 5;
const GRAPH_INPUT: u64 = 11;
const GRAPH_OUTPUT: u64 = 12;
const GRAPH_VALUE_INFO: u64 = 13;
const GRAPH_SPARSE_INITIALIZER: u64 = 15;
const NODE_INPUT: u64 = 1;
const NODE_OUTPUT: u64 = 2;
const NODE_OPERATOR: u64 = 4;
const NODE_ATTRIBUTE: u64 = 5;
const ATTRIBUTE_GRAPH: u64 = 6;
const ATTRIBUTE_GRAPHS: u64 = 11;
const TENSOR_NAME: u64 = 8;
const TENSOR_OUTSIDE: u64 = 13;
const ENTRY_KEY: u64 = 1;
const ENTRY_VALUE: u64 = 2;
const SPARSE_VALUES: u64 = 1;
const VALUE_NAME: u64 = 1;

/// The model in `bytes`, cut down to what its tensor `output` needs.
pub(super) fn cut(bytes: &[u8], output: &str) -> Result<Vec<u8>, CutError> {
    let mut small = Vec::with_capacity(bytes.len());
    let mut graphs = 0;
    for field in fields(bytes) {
        let field = field?;
        if field.number == MODEL_GRAPH {
            graphs += 1;
            put(
                &mut small,
                MODEL_GRAPH,
                &cut_graph(field.payload()?, output)?,
            );
        } else {
            small.extend_from_slice(field.whole);
        }
    }
    if graphs == 1 {
        Ok(small)
    } else {
        Err(CutError::Malformed)
    }
}

/// Operators that turn a last layer's sums into what a classifier gives.
const AFTER_LAST_LAYER: &[&str] = &[
    "Add",
    "Cast",
    "Flatten",
    "Identity",
    "LogSoftmax",
    "Reshape",
    "Sigmoid",
    "Softmax",
    "Squeeze",
];

/// The tensor that feeds the last fully connected layer before `output`: the
/// features of a classifier. None where `output` does not end in such a layer.
pub(super) fn before_last_layer(bytes: &[u8], output: &str) -> Result<Option<String>, CutError> {
    let nodes = Nodes::read(part(bytes, MODEL_GRAPH)?.ok_or(CutError::Malformed)?)?;
    let mut tensor = output;
    // A node is passed once at most, so a graph with a loop ends too.
    for _ in 0..nodes.reads.len() {
        let Some(&node) = nodes.writer.get(tensor) else {
            return Ok(None);
        };
        let mut made = nodes.reads[node]
            .iter()
            .filter(|read| nodes.writer.contains_key(*read));
        let Some(read) = made.next() else {
            return Ok(None);
        };
        match nodes.operators[node] {
            "Gemm" | "MatMul" => return Ok(Some((*read).to_owned())),
            operator if AFTER_LAST_LAYER.contains(&operator) => tensor = read,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Files beside the graph that hold its weights.
pub(super) fn files_outside(bytes: &[u8]) -> Result<Vec<String>, CutError> {
    let graph = part(bytes, MODEL_GRAPH)?.ok_or(CutError::Malformed)?;
    let mut files = Vec::new();
    for field in fields(graph) {
        let field = field?;
        if field.number != GRAPH_INITIALIZER {
            continue;
        }
        for entry in fields(field.payload()?) {
            let entry = entry?;
            if entry.number != TENSOR_OUTSIDE {
                continue;
            }
            let entry = entry.payload()?;
            if name(entry, ENTRY_KEY)? == Some("location")
                && let Some(file) = name(entry, ENTRY_VALUE)?
                && !files.iter().any(|known| known == file)
            {
                files.push(file.to_owned());
            }
        }
    }
    Ok(files)
}

fn cut_graph(graph: &[u8], output: &str) -> Result<Vec<u8>, CutError> {
    let nodes = Nodes::read(graph)?;
    let needed = nodes.needed_for(output);
    let Some(needed) = needed else {
        let outputs = fields(graph)
            .filter_map(Result::ok)
            .filter(|field| field.number == GRAPH_OUTPUT)
            .filter_map(|field| name(field.payload().ok()?, VALUE_NAME).ok().flatten())
            .map(str::to_owned);
        return Err(CutError::NoSuchTensor(outputs.collect()));
    };
    let mut small = Vec::with_capacity(graph.len());
    let mut described = None;
    let mut node = 0;
    for field in fields(graph) {
        let field = field?;
        let named = |number| Ok(name(field.payload()?, number)?.unwrap_or_default());
        let keep = match field.number {
            GRAPH_NODE => {
                node += 1;
                needed.nodes.contains(&(node - 1))
            }
            GRAPH_INITIALIZER => needed.tensors.contains(named(TENSOR_NAME)?),
            GRAPH_SPARSE_INITIALIZER => {
                let values = part(field.payload()?, SPARSE_VALUES)?.unwrap_or_default();
                let named = name(values, TENSOR_NAME)?.unwrap_or_default();
                needed.tensors.contains(named)
            }
            GRAPH_OUTPUT | GRAPH_VALUE_INFO if named(VALUE_NAME)? == output => {
                described = Some(field.payload()?);
                false
            }
            GRAPH_OUTPUT => false,
            GRAPH_INPUT | GRAPH_VALUE_INFO => needed.tensors.contains(named(VALUE_NAME)?),
            _ => true,
        };
        if keep {
            small.extend_from_slice(field.whole);
        }
    }
    // A tensor that the file does not describe gets its type from the runtime.
    let mut bare = Vec::new();
    put(&mut bare, VALUE_NAME, output.as_bytes());
    put(&mut small, GRAPH_OUTPUT, described.unwrap_or(&bare));
    Ok(small)
}

/// The nodes of a graph by what they read and write.
struct Nodes<'a> {
    reads: Vec<Vec<&'a str>>,
    operators: Vec<&'a str>,
    /// Node that writes a tensor.
    writer: HashMap<&'a str, usize>,
}

/// What a tensor depends on.
struct Needed<'a> {
    nodes: HashSet<usize>,
    tensors: HashSet<&'a str>,
}

impl<'a> Nodes<'a> {
    fn read(graph: &'a [u8]) -> Result<Self, CutError> {
        let mut nodes = Self {
            reads: Vec::new(),
            operators: Vec::new(),
            writer: HashMap::new(),
        };
        for field in fields(graph) {
            let field = field?;
            if field.number != GRAPH_NODE {
                continue;
            }
            let node = field.payload()?;
            for written in fields(node) {
                let written = written?;
                if written.number == NODE_OUTPUT {
                    nodes
                        .writer
                        .insert(text(written.payload()?)?, nodes.reads.len());
                }
            }
            let mut reads = Vec::new();
            read_by(node, &mut reads)?;
            nodes.reads.push(reads);
            let operator = name(node, NODE_OPERATOR)?.unwrap_or_default();
            nodes.operators.push(operator);
        }
        Ok(nodes)
    }

    /// None where no node writes `output`.
    fn needed_for(&self, output: &'a str) -> Option<Needed<'a>> {
        self.writer.get(output)?;
        let mut needed = Needed {
            nodes: HashSet::new(),
            tensors: HashSet::new(),
        };
        let mut open = vec![output];
        while let Some(tensor) = open.pop() {
            if needed.tensors.insert(tensor)
                && let Some(&node) = self.writer.get(tensor)
                && needed.nodes.insert(node)
            {
                open.extend(&self.reads[node]);
            }
        }
        Some(needed)
    }
}

/// Names that a node reads, those that the graphs within it read included: a
/// few too many at worst, where an inner name hides an outer one.
fn read_by<'a>(node: &'a [u8], reads: &mut Vec<&'a str>) -> Result<(), CutError> {
    for field in fields(node) {
        let field = field?;
        match field.number {
            NODE_INPUT => reads.push(text(field.payload()?)?),
            NODE_ATTRIBUTE => {
                for inner in fields(field.payload()?) {
                    let inner = inner?;
                    if matches!(inner.number, ATTRIBUTE_GRAPH | ATTRIBUTE_GRAPHS) {
                        read_within(inner.payload()?, reads)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_within<'a>(graph: &'a [u8], reads: &mut Vec<&'a str>) -> Result<(), CutError> {
    for field in fields(graph) {
        let field = field?;
        match field.number {
            GRAPH_NODE => read_by(field.payload()?, reads)?,
            // An inner graph may hand out an outer tensor as it is.
            GRAPH_OUTPUT => reads.extend(name(field.payload()?, VALUE_NAME)?),
            _ => {}
        }
    }
    Ok(())
}

/// One field of a message.
struct Field<'a> {
    number: u64,
    /// Key and value, as they lie in the message.
    whole: &'a [u8],
    /// Value of a field with a length.
    value: Option<&'a [u8]>,
}

impl<'a> Field<'a> {
    fn payload(&self) -> Result<&'a [u8], CutError> {
        self.value.ok_or(CutError::Malformed)
    }
}

fn fields(message: &[u8]) -> impl Iterator<Item = Result<Field<'_>, CutError>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next(rest);
        rest = match &field {
            Some(field) => &rest[field.whole.len()..],
            None => &[],
        };
        Some(field.ok_or(CutError::Malformed))
    })
}

/// The first field of a message.
/// <https://protobuf.dev/programming-guides/encoding/>
fn next(message: &[u8]) -> Option<Field<'_>> {
    let (key, after_key) = varint(message)?;
    let (value, after) = match key & 7 {
        0 => (None, varint(after_key)?.1),
        1 => (None, after_key.get(8..)?),
        2 => {
            let (length, rest) = varint(after_key)?;
            let (value, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            (Some(value), after)
        }
        5 => (None, after_key.get(4..)?),
        _ => return None,
    };
    Some(Field {
        number: key >> 3,
        whole: &message[..message.len() - after.len()],
        value,
    })
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place).min(63);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}

/// Appends a field with a length.
fn put(message: &mut Vec<u8>, number: u64, value: &[u8]) {
    put_varint(message, number << 3 | 2);
    put_varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        message.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    message.push(number.to_le_bytes()[0]);
}

/// The first part of `message` with that number.
fn part(message: &[u8], number: u64) -> Result<Option<&[u8]>, CutError> {
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            return field.payload().map(Some);
        }
    }
    Ok(None)
}

fn name(message: &[u8], number: u64) -> Result<Option<&str>, CutError> {
    part(message, number)?.map(text).transpose()
}

fn text(bytes: &[u8]) -> Result<&str, CutError> {
    std::str::from_utf8(bytes).map_err(|_| CutError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
        let mut message = Vec::new();
        for (number, value) in parts {
            put(&mut message, *number, value);
        }
        message
    }

    fn node(reads: &[&str], writes: &str) -> Vec<u8> {
        let mut parts: Vec<(u64, &[u8])> = reads
            .iter()
            .map(|read| (NODE_INPUT, read.as_bytes()))
            .collect();
        parts.push((NODE_OUTPUT, writes.as_bytes()));
        message(&parts)
    }

    /// image -> a -> b -> logits, words -> c -> logits; weights W of b, V of c.
    fn model() -> Vec<u8> {
        let value = |name: &str| message(&[(VALUE_NAME, name.as_bytes())]);
        let weights = |name: &str| message(&[(9, &[1; 300]), (TENSOR_NAME, name.as_bytes())]);
        let graph = message(&[
            (GRAPH_NODE, &node(&["image"], "a")),
            (GRAPH_NODE, &node(&["a", "W"], "b")),
            (GRAPH_NODE, &node(&["words", "V"], "c")),
            (GRAPH_NODE, &node(&["b", "c"], "logits")),
            (2, b"name of the graph"),
            (GRAPH_INITIALIZER, &weights("W")),
            (GRAPH_INITIALIZER, &weights("V")),
            (GRAPH_INPUT, &value("image")),
            (GRAPH_INPUT, &value("words")),
            (GRAPH_OUTPUT, &value("logits")),
        ]);
        let mut model = vec![1 << 3, 8];
        put(&mut model, MODEL_GRAPH, &graph);
        put(&mut model, 2, b"producer");
        model
    }

    fn names(model: &[u8], list: u64, number: u64) -> Vec<String> {
        let graph = part(model, MODEL_GRAPH).unwrap().unwrap();
        fields(graph)
            .map(Result::unwrap)
            .filter(|field| field.number == list)
            .map(|field| name(field.value.unwrap(), number).unwrap().unwrap())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn what_the_tensor_needs_is_kept_and_nothing_else() {
        let small = cut(&model(), "b").unwrap();
        assert_eq!(names(&small, GRAPH_NODE, NODE_OUTPUT), ["a", "b"]);
        assert_eq!(names(&small, GRAPH_INITIALIZER, TENSOR_NAME), ["W"]);
        assert_eq!(names(&small, GRAPH_INPUT, VALUE_NAME), ["image"]);
        assert_eq!(names(&small, GRAPH_OUTPUT, VALUE_NAME), ["b"]);
        let graph = part(&small, MODEL_GRAPH).unwrap().unwrap();
        assert_eq!(name(graph, 2), Ok(Some("name of the graph")));
        assert_eq!(&small[..2], [1 << 3, 8]);
        assert_eq!(cut(&model(), "logits").unwrap(), model());
        assert_eq!(cut(&small, "b").unwrap(), small);
    }

    #[test]
    fn graphs_within_nodes_read_too() {
        let inner = message(&[(GRAPH_NODE, &node(&["W"], "x"))]);
        let attribute = message(&[(1, b"then_branch"), (ATTRIBUTE_GRAPH, &inner)]);
        let mut choice = node(&["image"], "y");
        put(&mut choice, NODE_ATTRIBUTE, &attribute);
        let weights = message(&[(TENSOR_NAME, b"W".as_slice())]);
        let graph = message(&[(GRAPH_NODE, &choice), (GRAPH_INITIALIZER, &weights)]);
        let model = message(&[(MODEL_GRAPH, &graph)]);
        let small = cut(&model, "y").unwrap();
        assert_eq!(names(&small, GRAPH_INITIALIZER, TENSOR_NAME), ["W"]);
    }

    #[test]
    fn the_features_of_a_classifier_are_found() {
        let operator = |reads: &[&str], operator: &str, writes: &str| {
            let mut node = node(reads, writes);
            put(&mut node, NODE_OPERATOR, operator.as_bytes());
            node
        };
        let model = |last: &str| {
            let graph = message(&[
                (GRAPH_NODE, &operator(&["image"], "Relu", "features")),
                (GRAPH_NODE, &operator(&["features", "W"], last, "sums")),
                (GRAPH_NODE, &operator(&["bias", "sums"], "Add", "logits")),
                (GRAPH_NODE, &operator(&["logits"], "Softmax", "prob")),
            ]);
            message(&[(MODEL_GRAPH, &graph)])
        };
        let found = before_last_layer(&model("MatMul"), "prob");
        assert_eq!(found, Ok(Some("features".to_owned())));
        for (last, output) in [
            ("Conv", "prob"),
            ("MatMul", "features"),
            ("MatMul", "image"),
        ] {
            assert_eq!(before_last_layer(&model(last), output), Ok(None), "{last}");
        }
        assert_eq!(
            before_last_layer(b"no model", "prob"),
            Err(CutError::Malformed)
        );
    }

    #[test]
    fn weights_beside_the_file_are_named_once() {
        let entry = |key: &str, value: &str| {
            let parts = [(ENTRY_KEY, key.as_bytes()), (ENTRY_VALUE, value.as_bytes())];
            message(&parts)
        };
        let weights = message(&[
            (TENSOR_NAME, b"W"),
            (TENSOR_OUTSIDE, &entry("location", "model.onnx_data")),
            (TENSOR_OUTSIDE, &entry("offset", "4096")),
        ]);
        let graph = message(&[(GRAPH_INITIALIZER, &weights), (GRAPH_INITIALIZER, &weights)]);
        let found = files_outside(&message(&[(MODEL_GRAPH, &graph)]));
        assert_eq!(found, Ok(vec!["model.onnx_data".to_owned()]));
        assert_eq!(files_outside(&model()), Ok(Vec::new()));
    }

    #[test]
    fn a_tensor_that_is_not_there_and_what_is_no_model_are_refused() {
        let missing = CutError::NoSuchTensor(vec!["logits".to_owned()]);
        assert_eq!(cut(&model(), "image"), Err(missing));
        assert_eq!(cut(b"no model", "b"), Err(CutError::Malformed));
        assert_eq!(cut(b"", "b"), Err(CutError::Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..700, to: u8,
        ) {
            drop(cut(&bytes, "b"));
            let mut model = model();
            let place = at % model.len();
            model[place] = to;
            drop(cut(&model, "b"));
            drop(cut(&model[..place], "b"));
        }
    }
}
