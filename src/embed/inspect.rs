//! What a graph says of itself, for drafting a manifest.

use std::path::Path;

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};

use super::cut;
use super::error::{EmbedError, Said};
use super::runtime::Runtime;
use crate::model::draft::{Element, GraphFacts, TensorFacts};

/// Sides of a picture where neither the graph nor a file beside it names any.
const USUAL_SIZE: (u32, u32) = (224, 224);

/// Tokens of a text where the graph takes any number.
const SOME_TOKENS: u32 = 8;

/// Inputs and outputs of the graph at `path`, cut down to `cut_to` where that
/// is named. Where an output does not say how many numbers an embedding has,
/// one run on zeros shows it; `size` is the width and height of the picture
/// for that. A graph that does not run on zeros stays silent.
///
/// # Errors
/// The graph cannot be opened, or cut.
pub fn inspect(
    runtime: &Runtime,
    path: &Path,
    cut_to: Option<&str>,
    size: Option<(u32, u32)>,
) -> Result<GraphFacts, EmbedError> {
    let mut session = runtime.open(path, 1, cut_to)?;
    let facts = |outlets: &[Outlet]| outlets.iter().map(tensor_facts).collect();
    let mut graph = GraphFacts {
        inputs: facts(session.inputs()),
        outputs: facts(session.outputs()),
    };
    let silent = |output: &TensorFacts| match output.dimension_axis() {
        Some(axis) => output.axes[axis].is_none(),
        None => output.axes.is_empty(),
    };
    if graph.outputs.iter().any(silent) {
        match run_on_zeros(&mut session, &graph, size.unwrap_or(USUAL_SIZE)) {
            Ok(shapes) => learn(&mut graph.outputs, &shapes),
            Err(reason) => tracing::debug!(%reason, "the graph does not run on zeros"),
        }
    }
    Ok(graph)
}

/// The tensor that feeds the last layer before `output` of the graph at `path`.
///
/// # Errors
/// It cannot be read, or is no ONNX file.
pub fn before_last_layer(path: &Path, output: &str) -> Result<Option<String>, EmbedError> {
    cut::before_last_layer(&read(path)?, output).map_err(|_| no_onnx(path))
}

/// Files that hold weights of the graph at `path`, relative to its folder.
///
/// # Errors
/// It cannot be read, or is no ONNX file.
pub fn weights_outside(path: &Path) -> Result<Vec<String>, EmbedError> {
    cut::files_outside(&read(path)?).map_err(|_| no_onnx(path))
}

fn read(path: &Path) -> Result<Vec<u8>, EmbedError> {
    std::fs::read(path).map_err(|error| EmbedError::Open {
        path: path.to_owned(),
        source: Said::by(&error),
    })
}

fn no_onnx(path: &Path) -> EmbedError {
    EmbedError::Cut {
        path: path.to_owned(),
    }
}

fn tensor_facts(outlet: &Outlet) -> TensorFacts {
    let (element, axes) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = match ty {
                TensorElementType::Float32 => Element::Float32,
                TensorElementType::Float16 => Element::Float16,
                TensorElementType::Int64 => Element::Int64,
                TensorElementType::Int32 => Element::Int32,
                other => Element::Other(other.to_string()),
            };
            // Any length is -1.
            (
                element,
                shape
                    .iter()
                    .map(|length| u32::try_from(*length).ok())
                    .collect(),
            )
        }
        other => (Element::Other(other.to_string()), Vec::new()),
    };
    TensorFacts {
        name: outlet.name().to_owned(),
        element,
        axes,
    }
}

/// Shapes of the outputs, in their order.
fn run_on_zeros(
    session: &mut Session,
    graph: &GraphFacts,
    size: (u32, u32),
) -> Result<Vec<Vec<u32>>, Said> {
    let mut inputs = Vec::with_capacity(graph.inputs.len());
    for input in &graph.inputs {
        inputs.push((input.name.as_str(), zeros(input, size)?));
    }
    let outputs = session.run(inputs).map_err(|error| Said::by(&error))?;
    let shape = |output: &TensorFacts| {
        let shape = outputs
            .get(&output.name)
            .map(|value| value.dtype().tensor_shape().cloned());
        let shape = shape.flatten().unwrap_or_default();
        shape
            .iter()
            .filter_map(|length| u32::try_from(*length).ok())
            .collect()
    };
    Ok(graph.outputs.iter().map(shape).collect())
}

fn zeros(
    input: &TensorFacts,
    (width, height): (u32, u32),
) -> Result<SessionInputValue<'static>, Said> {
    let usual: &[u32] = match input.axes[..] {
        [_, _, _, Some(3)] => &[1, height, width, 3],
        [_, _, _, _] => &[1, 3, height, width],
        _ => &[1, SOME_TOKENS],
    };
    let lengths = input.axes.iter().enumerate();
    let shape: Vec<usize> = lengths
        .map(|(axis, length)| length.or(usual.get(axis).copied()).unwrap_or(1) as usize)
        .collect();
    let numbers = shape.iter().product();
    match input.element {
        Element::Float32 => Tensor::from_array((shape, vec![0f32; numbers])).map(Into::into),
        Element::Float16 => Tensor::from_array((shape, vec![f16::ZERO; numbers])).map(Into::into),
        Element::Int64 => Tensor::from_array((shape, vec![0i64; numbers])).map(Into::into),
        Element::Int32 => Tensor::from_array((shape, vec![0i32; numbers])).map(Into::into),
        Element::Other(_) => return Err(Said::by(&format!("{input} cannot be made"))),
    }
    .map_err(|error: ort::Error| Said::by(&error))
}

/// Notes the lengths that the graph did not say: of the embedding, and for an
/// output without any shape how many axes it has.
fn learn(outputs: &mut [TensorFacts], shapes: &[Vec<u32>]) {
    for (output, shape) in outputs.iter_mut().zip(shapes) {
        if output.axes.is_empty() {
            output.axes = vec![None; shape.len()];
        }
        if let Some(axis) = output.dimension_axis()
            && output.axes[axis].is_none()
        {
            output.axes[axis] = shape.get(axis).copied();
        }
    }
}
