//! Why a JPEG has no pixels, before it is known where the file came from.

/// What stops the decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes end before the picture does.
    Truncated,
    /// The deadline has passed.
    Late,
    /// Valid, but of a process of ITU T.81 that is not decoded.
    Unsupported(String),
    /// Not what ITU T.81 prescribes.
    Malformed(String),
}

impl Fault {
    /// A fault of the file, in words.
    #[cold]
    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed(reason.into())
    }

    /// A kind of file that is not decoded, in words.
    #[cold]
    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(reason.into())
    }
}
