//! What stages show to https upstreams that ask who calls them: a client certificate.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tokio_rustls::TlsConnector;

use super::origin::Origin;
use crate::deployed::Misconfigured;

/// A client certificate, ready to be shown. Two are the same when their ids are: a certificate never
/// changes, and its id is never given to another one.
pub struct Identity {
    id: Box<str>,
    pub(super) tls: TlsConnector,
}

impl Identity {
    pub(super) fn new(id: &str, tls: TlsConnector) -> Identity {
        Identity { id: id.into(), tls }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.id).finish()
    }
}

/// Which certificate a stage shows.
#[derive(Clone, Debug, Default)]
pub enum Shown {
    #[default]
    Nothing,
    Certificate(Arc<Identity>),
    /// One is set that cannot be used: no https upstream is called.
    Unusable,
}

impl Shown {
    /// The upstream as this stage calls it: connections that showed different certificates are never
    /// shared, and an upstream without TLS is shown nothing.
    pub fn to(&self, origin: Arc<Origin>) -> Result<Arc<Origin>, Misconfigured> {
        match self {
            Shown::Certificate(identity) if origin.is_tls => Ok(Arc::new(Origin {
                identity: Some(Arc::clone(identity)),
                ..(*origin).clone()
            })),
            Shown::Unusable if origin.is_tls => Err(Misconfigured::new(
                "the stage's client certificate cannot be used",
            )),
            _ => Ok(origin),
        }
    }
}
