//! The image side of a model: tensors in, vectors out.

use std::path::Path;

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType, TensorRef};

use super::dense::DenseLayer;
use super::error::{EmbedError, Said};
use super::graph::{Expected, OUTPUT_ELEMENTS, check, extract, is_declared, output_shape, pool};
use super::runtime::Runtime;
use super::vector::finish;
use crate::embed::BadVector;
use crate::entity::Embedding;
use crate::model::{FloatType, Layout, Model, Normalise, VisionGraph};

/// An open image graph, or none for a model whose tensor is its vector.
#[derive(Debug)]
pub struct VisionTower {
    graph: Option<(Session, VisionGraph)>,
    tensor_shape: [i64; 3],
    dense: Option<DenseLayer>,
    /// Numbers in a pooled vector.
    pooled: usize,
    normalise: Normalise,
}

impl VisionTower {
    /// Opens the model's image graph on `threads` threads, and compares it
    /// with the manifest. `runtime` may be absent for models without a graph.
    ///
    /// # Errors
    /// The graph cannot be opened or contradicts the manifest.
    pub fn open(
        model: &Model,
        runtime: Option<&Runtime>,
        threads: usize,
    ) -> Result<Self, EmbedError> {
        let vision = &model.manifest.vision;
        let (width, height) = (i64::from(vision.width), i64::from(vision.height));
        let tensor_shape = match vision.layout {
            Layout::Nchw => [3, height, width],
            Layout::Nhwc => [height, width, 3],
        };
        let dense = DenseLayer::open(model, vision.dense.as_ref())?;
        let pooled = dense
            .as_ref()
            .map_or(model.manifest.dimension, DenseLayer::takes);
        let graph = match (&vision.onnx, runtime) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(EmbedError::RuntimeMissing {
                    searched: Vec::new(),
                });
            }
            (Some(graph), Some(runtime)) => {
                let path = model.path_of(&graph.file);
                let cut_to = graph.cut.then_some(graph.output.as_str());
                let session = runtime.open(&path, threads, cut_to)?;
                check_graph(&path, &session, graph, tensor_shape, pooled)?;
                Some((session, graph.clone()))
            }
        };
        let mut tower = Self {
            graph,
            tensor_shape,
            dense,
            pooled,
            normalise: model.manifest.normalise,
        };
        tower.probe()?;
        Ok(tower)
    }

    /// From here on the graph runs on exactly `images` places at once, unless
    /// it has a fixed number of its own: ONNX Runtime's sums depend on the size
    /// of a batch in their last bits, but on no place and no neighbour in it, so
    /// that a picture's vector is the same to the bit whatever comes with it.
    #[must_use]
    pub fn in_batches_of(mut self, images: usize) -> Self {
        if let Some((_, graph)) = &mut self.graph {
            graph.batch.get_or_insert(images);
        }
        self
    }

    /// Where the graph does not declare the shape of its output, one run on a
    /// black picture shows it, before any collection takes its dimension.
    fn probe(&mut self) -> Result<(), EmbedError> {
        let declared = self
            .graph
            .as_ref()
            .is_none_or(|(session, graph)| is_declared(session, &graph.output));
        if declared {
            return Ok(());
        }
        let numbers: i64 = self.tensor_shape.iter().product();
        let black = vec![0.0; usize::try_from(numbers).unwrap_or(0)];
        self.embed(&black, 1).map(drop)
    }

    /// Embeds `count` images whose tensors lie one behind the other in
    /// `tensors`. The answer for one image does not depend on its neighbours.
    ///
    /// # Errors
    /// The graph failed, as a whole. A single vector that is useless is an
    /// error of its own place alone.
    pub fn embed(
        &mut self,
        tensors: &[f32],
        count: usize,
    ) -> Result<Vec<Result<Embedding, BadVector>>, EmbedError> {
        let pooled = self.pooled(tensors, count)?;
        let vectors = pooled.into_iter().map(|vector| match &self.dense {
            Some(dense) => dense.apply(&vector),
            None => vector,
        });
        Ok(vectors.map(|v| finish(v, self.normalise)).collect())
    }

    /// The graph's answer to `count` images, one pooled vector each: what the
    /// matrix and the normalisation are applied to.
    ///
    /// # Errors
    /// The graph failed.
    pub fn pooled(&mut self, tensors: &[f32], count: usize) -> Result<Vec<Vec<f32>>, EmbedError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let per_image = tensors.len() / count;
        let Some((session, graph)) = &mut self.graph else {
            let vectors = tensors.chunks_exact(per_image);
            return Ok(vectors.map(<[f32]>::to_vec).collect());
        };
        let most = graph.batch.unwrap_or(count);
        let mut pooled = Vec::with_capacity(count);
        for chunk in tensors.chunks(most * per_image) {
            let images = chunk.len() / per_image;
            // In batches of one size missing places are zeros.
            let padded: Vec<f32>;
            let (input, places) = match graph.batch {
                Some(batch) if images < batch => {
                    let mut full = chunk.to_vec();
                    full.resize(batch * per_image, 0.0);
                    padded = full;
                    (&padded[..], batch)
                }
                _ => (chunk, images),
            };
            let vectors = run(
                session,
                graph,
                self.tensor_shape,
                self.pooled,
                (input, places),
            )?;
            pooled.extend(vectors.into_iter().take(images));
        }
        Ok(pooled)
    }
}

fn run(
    session: &mut Session,
    graph: &VisionGraph,
    tensor_shape: [i64; 3],
    dimension: usize,
    (input, places): (&[f32], usize),
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let failed = |error: &dyn std::fmt::Display| EmbedError::Run {
        source: Said::by(error),
    };
    let [a, b, c] = tensor_shape;
    let shape = [
        i64::try_from(places).map_err(|error| failed(&error))?,
        a,
        b,
        c,
    ];
    let tensor: SessionInputValue<'_> = match graph.dtype {
        FloatType::Float32 => TensorRef::from_array_view((shape, input))
            .map_err(|error| failed(&error))?
            .into(),
        FloatType::Float16 => {
            let rounded: Vec<f16> = input.iter().map(|number| f16::from_f32(*number)).collect();
            let tensor = Tensor::from_array((shape, rounded));
            tensor.map_err(|error| failed(&error))?.into()
        }
    };
    let outputs = session
        .run(vec![(graph.input.as_str(), tensor)])
        .map_err(|error| failed(&error))?;
    let (shape, data) = extract(&outputs, &graph.output)?;
    let vectors = pool(graph.pooling, dimension, shape, &data, None)?;
    if vectors.len() == places {
        Ok(vectors)
    } else {
        Err(EmbedError::Shape {
            found: shape.to_vec(),
            expected: format!("{places} vectors"),
        })
    }
}

fn check_graph(
    path: &Path,
    session: &Session,
    graph: &VisionGraph,
    [a, b, c]: [i64; 3],
    dimension: usize,
) -> Result<(), EmbedError> {
    let batch = graph.batch.and_then(|batch| i64::try_from(batch).ok());
    let elements = [match graph.dtype {
        FloatType::Float32 => TensorElementType::Float32,
        FloatType::Float16 => TensorElementType::Float16,
    }];
    let input = Expected {
        name: &graph.input,
        elements: &elements,
        shape: &[batch.or(Some(-1)), Some(a), Some(b), Some(c)],
    };
    let output = Expected {
        name: &graph.output,
        elements: OUTPUT_ELEMENTS,
        shape: &output_shape(graph.pooling, dimension),
    };
    check(path, session, &[input], &output)
}
