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
    /// path of a model's folder.
    ///
    /// # Errors
    /// There is no such model, or its manifest is wrong.
    pub fn open(&self, name: &str) -> Result<Model, ModelError> {
        if name.contains(['/', std::path::MAIN_SEPARATOR]) || name == "." {
            return Model::open(Path::new(name));
        }
        let found = self
            .folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|folder| folder.join("model.toml").is_file());
        match found {
            Some(folder) => Model::open(&folder),
            None => Err(ModelError::Unknown {
                name: name.to_owned(),
                known: self.list().into_iter().map(|(name, _)| name).collect(),
                searched: self.folders.clone(),
            }),
        }
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
                let is_model = entry.path().join("model.toml").is_file();
                if is_model && !found.iter().any(|(known, _)| *known == name) {
                    found.push((name, Model::open(&entry.path())));
                }
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }
}
