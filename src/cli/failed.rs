//! Why a command failed, in words that say what to do, and its exit code.

use std::process::ExitCode;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Wrong use: a bad argument, an unreadable file, a bad configuration. Exit code 2, as for a bad flag.
    #[error("{0}")]
    Usage(String),
    /// The gateway answered with an error. Exit code 1.
    #[error("{name}: {message}{}", advice(.name))]
    Refused {
        status: u16,
        /// AWS's name of the exception.
        name: String,
        message: String,
    },
    /// It could not be done: the gateway did not start or did not answer as it should. Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// The gateway is not as declared. Exit code 2.
    #[error("the gateway differs from what is declared")]
    Different,
    /// Nothing answers at the endpoint. Exit code 3.
    #[error("{0}")]
    Unreachable(String),
}

impl Failed {
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failed::Refused { .. } | Failed::Failed(_) => 1,
            Failed::Usage(_) | Failed::Different => 2,
            Failed::Unreachable(_) => 3,
        })
    }

    /// Whether the gateway says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Failed::Refused { status: 404, .. })
    }
}

impl From<crate::config::Invalid> for Failed {
    fn from(invalid: crate::config::Invalid) -> Failed {
        Failed::Usage(invalid.to_string())
    }
}

/// What to do about an error whose message does not say.
fn advice(name: &str) -> &'static str {
    match name {
        "MissingAuthenticationTokenException" => {
            "\nGive --data-dir DIR of the gateway, or set AWS_SHARED_CREDENTIALS_FILE to the file `credentials` in it, \
             or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        }
        "UnrecognizedClientException" => {
            "\nThis access key is not one of this gateway; its own are in the file `credentials` in its data directory."
        }
        _ => "",
    }
}
