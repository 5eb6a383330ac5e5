//! The stages of a text.

use super::measure::apart;
use super::reference::{Reference, Text};
use super::{DoctorError, Stage, Tower, Verdict, normalisation};
use crate::embed::{TextTower, Tokeniser, cosine, norm};
use crate::model::Model;

/// What goes through these stages.
const OF: &str = "texts";

pub(super) fn examine(
    model: &Model,
    tower: Tower<TextTower>,
    tokeniser: Option<&Tokeniser>,
    reference: &Reference,
) -> Result<Vec<Stage>, DoctorError> {
    let mut stages = vec![tokenised(tokeniser, &reference.texts)?];
    match tower {
        Ok(mut tower) => stages.extend(embedded(model, &mut tower, &reference.texts)?),
        Err(why) => stages.push(Stage::unknown("graph", OF, why)),
    }
    Ok(stages)
}

fn tokenised(tokeniser: Option<&Tokeniser>, texts: &[Text]) -> Result<Stage, DoctorError> {
    let Some(tokeniser) = tokeniser else {
        return Ok(Stage::unknown("tokenise", OF, "the tokeniser is not here"));
    };
    let known = texts
        .iter()
        .filter_map(|text| Some((text, text.ids.as_ref()?)));
    let known: Vec<(&Text, &Vec<u32>)> = known.collect();
    if known.is_empty() {
        return Ok(Stage::unknown("tokenise", OF, "the reference holds no ids"));
    }
    let mut other = Vec::new();
    for (text, ids) in &known {
        if tokeniser.token_ids(&text.words)? != **ids {
            other.push(format!("{:?}", text.words));
        }
    }
    let (verdict, detail) = match other.first() {
        None => (Verdict::Equal, "the same ids".to_owned()),
        Some(first) => (
            Verdict::Differs,
            format!("{} have other ids, {first} first", other.len()),
        ),
    };
    Ok(Stage {
        name: "tokenise",
        of: OF,
        judged: known.len(),
        verdict,
        detail,
    })
}

fn embedded(
    model: &Model,
    tower: &mut TextTower,
    texts: &[Text],
) -> Result<Vec<Stage>, DoctorError> {
    let least = super::least_cosine(model);
    let (mut graph, mut norms, mut published) = (Vec::new(), Vec::new(), Vec::new());
    let (mut vectors, mut worst) = (0, 1.0f64);
    for text in texts {
        let (mut pooled, _) = tower.pooled(&[&text.words])?;
        let pooled = pooled.swap_remove(0);
        // Other ids are the tokeniser's fault, and shown there.
        let ids = tower.tokeniser().token_ids(&text.words)?;
        let same = text.ids.as_ref().is_none_or(|wanted| *wanted == ids);
        if let (true, Some(reference)) = (same, &text.pooled) {
            graph.push((cosine(&pooled, &reference.0), apart(&pooled, &reference.0)));
        }
        let vector = tower.embed(&[&text.words])?.swap_remove(0).embedding;
        if let Some(reference) = &text.embedding {
            norms.push((norm(&vector), norm(&reference.0), same));
            vectors += 1;
            worst = worst.min(cosine(&vector, &reference.0));
        }
        // Rounded weights are not meant to give the published numbers.
        if least >= super::LEAST_COSINE
            && let (Some(first), Some(within)) = (&text.first, text.within)
        {
            published.push((
                apart(&vector, first),
                within,
                text.from.as_deref().unwrap_or(""),
            ));
        }
    }
    let mut stages = vec![super::graph(OF, model, &graph, least)];
    stages.extend(published.into_iter().map(|(by, within, from)| Stage {
        name: "published",
        of: OF,
        judged: 1,
        verdict: if by <= within {
            Verdict::Equal
        } else {
            Verdict::Differs
        },
        detail: format!(
            "{by:.0e} from the first numbers in {from}, which are rounded to {within:.0e}"
        ),
    }));
    stages.push(normalisation(OF, &norms));
    if vectors > 0 {
        stages.push(Stage {
            name: "vector",
            of: OF,
            judged: vectors,
            verdict: if worst >= least {
                Verdict::Equal
            } else {
                Verdict::Differs
            },
            detail: format!("cosine {worst:.6} or more, from the text to the vector"),
        });
    }
    Ok(stages)
}
