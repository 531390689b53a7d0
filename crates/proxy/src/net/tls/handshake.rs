//! The handshake of one connection, bounded in time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::ServerTls;
use crate::gateway_response::plain_http;

/// The first byte of a client that speaks TLS.
const HANDSHAKE_RECORD: u8 = 22;

/// How long a client that did not speak TLS may go on sending, in milliseconds, so that it sees why it is refused.
const LINGER_MS: u64 = 2_000;

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoHandshake {
    #[error("the client does not speak TLS")]
    Plain,
    #[error("the client did not shake hands in time")]
    TooSlow,
    #[error("no TLS handshake: {0}")]
    Failed(#[from] io::Error),
}

/// The connection, once the handshake is done. A client that speaks HTTP without TLS is told so.
pub async fn shake_hands(
    stream: TcpStream,
    tls: &ServerTls,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, NoHandshake> {
    let shaking = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(NoHandshake::Failed(io::ErrorKind::UnexpectedEof.into()));
        }
        if first[0] != HANDSHAKE_RECORD {
            refuse(stream, first[0]).await?;
            return Err(NoHandshake::Plain);
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = tls.config_for(start.client_hello().server_name());
        Ok(start.into_stream(Arc::clone(config)).await?)
    };
    let shaken = tokio::time::timeout(limit, shaking).await;
    shaken.unwrap_or(Err(NoHandshake::TooSlow))
}

/// Answers a client that speaks HTTP, which begins with a method's name; others are not answered.
async fn refuse(mut stream: TcpStream, first: u8) -> io::Result<()> {
    if !first.is_ascii_uppercase() {
        return Ok(());
    }
    stream.write_all(plain_http().as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with something unread would reset the connection, and the client would not see its answer.
    let mut scratch = [0; 4096];
    let rest = async { while stream.read(&mut scratch).await.is_ok_and(|bytes| bytes > 0) {} };
    let _ = tokio::time::timeout(Duration::from_millis(LINGER_MS), rest).await;
    Ok(())
}
