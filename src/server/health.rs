//! What an operator asks a running gateway: `/healthz`, `/readyz`, `/status`, `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tollgate_control::{Control, behind_authentication};
use tollgate_proxy::DataPlaneFigures;

use super::tls::PlaneCertificates;
use crate::config::Secret;

/// The guarantee that this gateway's engine achieves, by its name in `docs/limits.md`.
pub const GUARANTEE: &str = "exact";

/// Where the gateway is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Starting,
    Serving,
    Draining,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Serving => "serving",
            Phase::Draining => "draining",
        }
    }
}

/// The phase, shared between the server and its health routes.
#[derive(Debug, Clone)]
pub struct Life(Arc<AtomicU8>);

impl Life {
    pub fn starting() -> Life {
        Life(Arc::new(AtomicU8::new(Phase::Starting as u8)))
    }

    pub fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    pub fn phase(&self) -> Phase {
        let phase = self.0.load(Ordering::Acquire);
        let known = [Phase::Serving, Phase::Draining]
            .into_iter()
            .find(|known| *known as u8 == phase);
        known.unwrap_or(Phase::Starting)
    }
}

/// What the health routes look at.
#[derive(Clone)]
pub struct Health {
    pub life: Life,
    pub started: Instant,
    pub figures: DataPlaneFigures,
    /// Where the data plane listens.
    pub data_plane: SocketAddr,
    /// Bearer token that may read `/metrics`.
    pub metrics_token: Option<Secret>,
    pub certificates: PlaneCertificates,
}

/// The health routes, before everything else that the control plane answers.
pub fn router(health: Health, control: Control) -> Router {
    let open = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz));
    let guarded = Router::new()
        .route("/status", get(status))
        .route("/metrics", get(metrics));
    let guarded = behind_authentication(guarded.with_state(health.clone()), control.clone());
    let guarded = guarded.layer(from_fn_with_state(health.clone(), scrape));
    open.with_state(health)
        .merge(guarded)
        .fallback_service(tollgate_control::router(control))
}

/// The process runs.
async fn healthz() -> Response {
    answer(StatusCode::OK, json!({"status": "ok"}))
}

/// Both planes serve, and admissions can be counted.
async fn readyz(State(health): State<Health>) -> Response {
    let phase = health.life.phase();
    let why_not = match phase {
        Phase::Serving if health.figures.ledger_has_failed() => json!({
            "status": "ledger poisoned",
            "message": "A write to usage.db failed. Check the disk, then restart.",
        }),
        Phase::Serving if health.figures.ledger_is_full() => json!({
            "status": "disk full",
            "message": "No unit of a quota can be reserved until the disk has room.",
        }),
        Phase::Serving => return answer(StatusCode::OK, json!({"status": "ready"})),
        phase => json!({"status": phase.name()}),
    };
    answer(StatusCode::SERVICE_UNAVAILABLE, why_not)
}

async fn status(State(health): State<Health>) -> Response {
    answer(
        StatusCode::OK,
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "guarantee": GUARANTEE,
            "phase": health.life.phase().name(),
            "data_plane": format!("http://{}", health.data_plane),
            "uptime_s": health.started.elapsed().as_secs(),
            "ledger": match (health.figures.ledger_has_failed(), health.figures.ledger_is_full()) {
                (true, _) => "poisoned",
                (false, true) => "disk full",
                (false, false) => "ok",
            },
        }),
    )
}

async fn metrics(State(health): State<Health>) -> Response {
    metrics_text(&health)
}

fn metrics_text(health: &Health) -> Response {
    let text = format!(
        "{}{}# HELP tollgate_build_info Version of the running program.\n# TYPE tollgate_build_info gauge\n\
         tollgate_build_info{{version=\"{}\",guarantee=\"{GUARANTEE}\"}} 1\n\
         # HELP tollgate_ledger_poisoned Whether the usage ledger failed, so that nothing more is reserved.\n\
         # TYPE tollgate_ledger_poisoned gauge\ntollgate_ledger_poisoned {}\n",
        health.figures.render(),
        health.certificates.render(),
        env!("CARGO_PKG_VERSION"),
        u8::from(health.figures.ledger_has_failed()),
    );
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// Lets whoever has the metrics token read `/metrics`; everybody else needs a signature.
async fn scrape(State(health): State<Health>, request: Request, next: Next) -> Response {
    let may = request.uri().path() == "/metrics"
        && request.method() == http::Method::GET
        && health
            .metrics_token
            .as_ref()
            .is_some_and(|token| bears(request.headers(), token));
    match may {
        true => metrics_text(&health),
        false => next.run(request).await,
    }
}

fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| given.ct_eq(token.reveal().as_bytes()).into())
}

fn answer(status: StatusCode, body: Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, kind)], body.to_string()).into_response()
}
