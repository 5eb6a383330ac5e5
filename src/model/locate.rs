//! Finding models by name.

use std::path::{Path, PathBuf};

use super::{Model, ModelError};

/// The folders that hold models, in the order in which they are searched.
#[derive(Debug, Clone)]
pub struct ModelDirs {
    folders: Vec<PathBuf>,
}

/// A folder under one of the [`ModelDirs`]: a model, or why it is none.
pub type Listed = (String, Result<Model, ModelError>);

impl ModelDirs {
    /// `given` (from a flag or the environment) alone; without it `models/`
    /// beside the executable's ancestors, and the one of the checkout that
    /// this program was built from.
    pub fn new(given: Option<PathBuf>) -> Self {
        if let Some(folder) = given {
            return Self {
                folders: vec![folder],
            };
        }
        let folders = crate::config::installation_roots()
            .map(|root| root.join("models"))
            .filter(|folder| folder.is_dir())
            .collect();
        Self { folders }
    }

    /// Opens the model called `name`; a `name` with a path separator is the
    /// path of a model's folder. `name:variant` is a variant of it.
    ///
    /// # Errors
    /// There is no such model, or its manifest is wrong.
    pub fn open(&self, name: &str) -> Result<Model, ModelError> {
        let is_separator = |c: char| c == '/' || std::path::is_separator(c);
        let (base, variant) = match name.rsplit_once(':') {
            Some((base, variant))
                if !variant.contains(is_separator) && !is_model(name.as_ref()) =>
            {
                (base, Some(variant))
            }
            _ => (name, None),
        };
        let folder = if base.contains(is_separator) || base == "." {
            Some(PathBuf::from(base))
        } else {
            let folders = self.folders.iter().map(|folder| folder.join(base));
            folders.into_iter().find(|folder| is_model(folder))
        };
        match (folder, variant) {
            (Some(folder), None) => Model::open(&folder),
            (Some(folder), Some(variant)) => Model::open_variant(&folder, variant),
            (None, _) => Err(ModelError::Unknown {
                name: base.to_owned(),
                known: self.list().into_iter().map(|(name, _)| name).collect(),
                searched: self.folders.clone(),
            }),
        }
    }

    /// The first folder of models that holds `path`.
    pub fn folder_with(&self, path: &str) -> Option<PathBuf> {
        let mut folders = self.folders.iter();
        folders.find(|folder| folder.join(path).exists()).cloned()
    }

    /// Every model, by name; the first folder that has a name wins.
    pub fn list(&self) -> Vec<Listed> {
        let mut found: Vec<Listed> = Vec::new();
        for folder in &self.folders {
            let Ok(entries) = std::fs::read_dir(folder) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if is_model(&entry.path()) && !found.iter().any(|(known, _)| *known == name) {
                    found.push((name, Model::open(&entry.path())));
                }
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }
}

fn is_model(folder: &Path) -> bool {
    folder.join("model.toml").is_file()
}
