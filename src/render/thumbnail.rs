//! A small picture, ready to be shown.

/// A picture's thumbnail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Pixels in a row; at least 1.
    pub width: u32,
    /// Rows; at least 1.
    pub height: u32,
    /// As whoever shows it asks: the pixels' red, green and blue, or a file.
    pub bytes: Vec<u8>,
}

/// A thumbnail, or in a few words why there is none.
pub type Shown = Result<Thumbnail, String>;
