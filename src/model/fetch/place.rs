//! Places that may have a file: addresses on a hub or mirror, paths in a folder.

use std::path::{Path, PathBuf};

use reqwest::Url;

use super::{DEFAULT_HUB, FetchError, Origin};
use crate::model::{Model, ModelFile};

/// One place that may have a file.
pub(super) enum Place {
    File(PathBuf),
    Url {
        url: Url,
        /// The model's page, where the address has the hub's layout.
        page: Option<Url>,
    },
}

impl Place {
    /// The place as people read it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url { url, .. } => url.to_string(),
        }
    }
}

/// Where `file` may be had, in the order in which it is looked for.
pub(super) fn places(
    model: &Model,
    file: &ModelFile,
    origin: &Origin,
) -> Result<Vec<Place>, FetchError> {
    match origin {
        Origin::Hub => match on_hub(&base_url(DEFAULT_HUB)?, model, file) {
            Some(place) => Ok(vec![place]),
            None => Err(FetchError::NotOnHub {
                name: model.manifest.name.clone(),
                source_kind: model.manifest.source.clone(),
            }),
        },
        Origin::Url(base) => {
            let base = base_url(base)?;
            let plain = Place::Url {
                url: below(&base, &[model.manifest.base_name()], &file.path),
                page: None,
            };
            Ok(on_hub(&base, model, file)
                .into_iter()
                .chain([plain])
                .collect())
        }
        Origin::Folder(folder) => {
            // A folder that is not there deserves its own message.
            std::fs::read_dir(folder).map_err(|source| FetchError::Read {
                path: folder.clone(),
                source,
            })?;
            let paths = in_folder(folder, model, file);
            Ok(paths.into_iter().map(Place::File).collect())
        }
    }
}

fn in_folder(folder: &Path, model: &Model, file: &ModelFile) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let Some((repository, revision)) = file.on_hub(&model.manifest.source) {
        let cached = format!("models--{}/snapshots", repository.replace('/', "--"));
        paths.push(folder.join(repository).join(file.remote_path()));
        paths.push(folder.join(cached).join(revision).join(file.remote_path()));
    }
    paths.push(folder.join(model.manifest.base_name()).join(&file.path));
    paths.push(folder.join(&file.path));
    if let Some(name) = Path::new(&file.path).file_name() {
        paths.push(folder.join(name));
    }
    paths.dedup();
    paths
}

fn base_url(text: &str) -> Result<Url, FetchError> {
    let wrong = |wrong| FetchError::Address {
        // What may hold a password or a signature is not shown.
        given: match text.split_once("://") {
            Some((scheme, rest)) if rest.contains(['@', '?', '#']) => format!("{scheme}://..."),
            _ => text.to_owned(),
        },
        wrong,
    };
    let url = Url::parse(text).map_err(|_| wrong("it is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it holds a query or fragment"));
    }
    Ok(url)
}

/// Address of `file` in the hub's layout, if the model names a repository.
fn on_hub(base: &Url, model: &Model, file: &ModelFile) -> Option<Place> {
    let (repository, revision) = file.on_hub(&model.manifest.source)?;
    let page = below(base, &[], repository);
    Some(Place::Url {
        url: below(&page, &["resolve", revision], file.remote_path()),
        page: Some(page),
    })
}

/// `base`, then `folders` of one part each, then `path` of many.
fn below(base: &Url, folders: &[&str], path: &str) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("http addresses have paths; this is a bug")
        .pop_if_empty()
        .extend(folders)
        .extend(path.split('/'));
    url
}

#[cfg(test)]
mod tests {
    use super::super::tests::{hub_model, pinned};
    use super::*;

    fn shown(origin: &Origin) -> Vec<String> {
        let file = ModelFile {
            remote: Some("onnx/a b.onnx".to_owned()),
            ..pinned("sub/a.onnx", b"")
        };
        let (_folder, model) = hub_model(vec![]);
        let places = places(&model, &file, origin).unwrap();
        places.iter().map(Place::shown).collect()
    }

    #[test]
    fn addresses_follow_the_hub_and_are_encoded() {
        assert_eq!(
            shown(&Origin::Hub),
            ["https://huggingface.co/owner/name/resolve/abc/onnx/a%20b.onnx"]
        );
        for base in ["https://mirror.test:8/hub", "https://mirror.test:8/hub/"] {
            assert_eq!(
                shown(&Origin::Url(base.to_owned())),
                [
                    "https://mirror.test:8/hub/owner/name/resolve/abc/onnx/a%20b.onnx",
                    "https://mirror.test:8/hub/pixels/sub/a.onnx",
                ]
            );
        }
    }

    #[test]
    fn a_folder_may_have_any_of_five_layouts() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<String> = shown(&Origin::Folder(folder.path().into()))
            .iter()
            .map(|path| {
                let path = Path::new(path).strip_prefix(folder.path()).unwrap();
                path.display().to_string()
            })
            .collect();
        assert_eq!(
            paths,
            [
                "owner/name/onnx/a b.onnx",
                "models--owner--name/snapshots/abc/onnx/a b.onnx",
                "pixels/sub/a.onnx",
                "sub/a.onnx",
                "a.onnx",
            ]
        );
    }

    #[test]
    fn refuses_addresses_and_hides_what_may_be_secret() {
        for (text, reason) in [
            ("nonsense", "not a URL"),
            ("ftp://mirror.test", "scheme"),
            ("https://user:sesame@mirror.test", "password"),
            ("https://mirror.test/a?key=sesame", "query"),
            ("https://user:sesame@:x", "not a URL"),
        ] {
            let said = base_url(text).expect_err("refused").to_string();
            assert!(said.contains(reason), "{text}: {said}");
            assert!(!said.contains("sesame"), "{said}");
        }
    }
}
