//! What a graph says of itself, as plain data.

use std::fmt;

/// Inputs and outputs of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphFacts {
    /// In the order of the graph.
    pub inputs: Vec<TensorFacts>,
    /// In the order of the graph.
    pub outputs: Vec<TensorFacts>,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorFacts {
    /// Name in the graph.
    pub name: String,
    /// What it holds.
    pub element: Element,
    /// Length of each axis; `None` is any. Empty where the graph does not say.
    pub axes: Vec<Option<u32>>,
}

/// Element type of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    Float32,
    /// 16-bit float.
    Float16,
    /// 64-bit signed integer.
    Int64,
    /// 32-bit signed integer.
    Int32,
    /// One that no manifest can name.
    Other(String),
}

impl TensorFacts {
    /// Whether it is a picture: four axes of floats, the colours on the second
    /// or on the last, or nothing said of either.
    pub fn is_picture(&self) -> bool {
        let colours = |axis: usize| self.axes[axis].is_none_or(|length| length == 3);
        self.is_float() && self.axes.len() == 4 && (colours(1) || colours(3))
    }

    /// Whether it is a table of token ids or the like.
    pub fn is_tokens(&self) -> bool {
        matches!(self.element, Element::Int32 | Element::Int64) && self.axes.len() == 2
    }

    /// Which axis holds the numbers of an embedding, if one can.
    pub fn dimension_axis(&self) -> Option<usize> {
        match self.axes.len() {
            2 | 4 => Some(1),
            3 => Some(2),
            _ => None,
        }
    }

    /// Numbers in an embedding, where it says so.
    pub(super) fn dimension(&self) -> Option<u32> {
        self.axes[self.dimension_axis()?]
    }

    pub(super) fn is_float(&self) -> bool {
        matches!(self.element, Element::Float32 | Element::Float16)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Other(name) => name,
        })
    }
}

/// `name` float32 [any, 3, 224, 224]
impl fmt::Display for TensorFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes = self.axes.iter().map(|axis| match axis {
            Some(length) => length.to_string(),
            None => "any".to_owned(),
        });
        let axes: Vec<String> = axes.collect();
        write!(f, "`{}` {}", self.name, self.element)?;
        if axes.is_empty() {
            Ok(())
        } else {
            write!(f, " [{}]", axes.join(", "))
        }
    }
}

pub(super) fn listed<'a>(tensors: impl IntoIterator<Item = &'a TensorFacts>) -> String {
    let tensors: Vec<String> = tensors.into_iter().map(ToString::to_string).collect();
    if tensors.is_empty() {
        "none".to_owned()
    } else {
        tensors.join(", ")
    }
}
