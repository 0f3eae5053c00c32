//! Where the bytes of media come from: the trait between records, which name media by hash, and the models that look at
//! them.

use std::sync::Arc;

use crate::{MediaRef, ModelError};

/// Gives the bytes of media by name. Models ask it when they are shown a picture, clip or sound; nothing else does.
pub trait MediaLibrary: Send + Sync {
    /// The whole file, as it was when it was named: bytes whose SHA-256 is not the reference's are refused with
    /// [`ModelError::Media`], as is a file that is missing or larger than the library's limit.
    fn bytes(&self, media: &MediaRef) -> Result<Arc<[u8]>, ModelError>;
}

/// A library without any media: what models have that were given none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMedia;

impl MediaLibrary for NoMedia {
    fn bytes(&self, media: &MediaRef) -> Result<Arc<[u8]>, ModelError> {
        let reason = "this model was given no folder to find media in; name the data set's folder".to_owned();
        Err(ModelError::Media { path: media.path.clone(), reason })
    }
}
