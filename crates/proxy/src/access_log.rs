//! The record of a call, written once when its answer has ended: a line of the access log and counts.
//!
//! A line is a JSON object whose members are named as AWS's `$context` variables; what is not known is
//! absent. Latencies are milliseconds with fractions. The path never has the query string, and a key
//! appears by its id only.

mod format;
mod json;
mod stage_log;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Response, Version};

pub(crate) use self::stage_log::{StageLog, StageLogs};
pub(crate) use self::writer::common_log_time;
pub use self::writer::{AccessLog, Target};
use crate::body::Body;
use crate::gateway_response::{Reason, Row};
use crate::invocation::Invocation;
use crate::mapping::context::{Answered, Facts};
use crate::metrics::{Metrics, Outcome};

/// Where one worker's calls are recorded.
pub struct Recorder {
    /// None when no access log is kept.
    pub log: Option<Arc<AccessLog>>,
    pub metrics: Arc<Metrics>,
    pub worker: usize,
}

/// The status logged when the client went away before there was one.
const CLIENT_CLOSED: u16 = 499;

/// Room made for a line, so that writing it grows the buffer once.
const LINE_BYTES_USUAL: usize = 1024;

/// One call's record. Writes itself when dropped, so that no call goes without.
pub struct Entry {
    pub call: Invocation,
    recorder: Arc<Recorder>,
    status: Option<u16>,
    bytes_sent: u64,
    ending: Ending,
}

/// How the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Whole,
    /// The upstream failed in the middle of it.
    Cut,
    /// The client went away.
    Unfinished,
}

impl Entry {
    pub fn new(call: Invocation, recorder: &Arc<Recorder>) -> Box<Entry> {
        Box::new(Entry {
            call,
            recorder: Arc::clone(recorder),
            status: None,
            bytes_sent: 0,
            ending: Ending::Whole,
        })
    }

    /// Goes with the answer, to be written when that has ended.
    pub fn follow(mut self: Box<Self>, response: Response<Body>) -> Response<Body> {
        self.status = Some(response.status().as_u16());
        response.map(|body| body.with_entry(self))
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes_sent += bytes as u64;
    }

    pub(crate) fn cut(&mut self) {
        self.ending = Ending::Cut;
    }

    /// The body was dropped before its end; for HEAD that is its end.
    pub(crate) fn unfinished(&mut self) {
        if self.ending == Ending::Whole && self.call.http_method != Method::HEAD {
            self.ending = Ending::Unfinished;
        }
    }

    fn outcome(&self) -> Outcome {
        match (self.status, self.ending) {
            (None, _) => Outcome::ClientClosed,
            (Some(_), _) if self.call.refused.is_some() => Outcome::Refused,
            (Some(_), Ending::Cut | Ending::Unfinished) => Outcome::Cut,
            (Some(status), Ending::Whole) => Outcome::Answered(status),
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match (self.status, self.ending) {
            (None, _) | (_, Ending::Unfinished) => Some("client-closed"),
            (_, Ending::Cut) => Some("upstream-cut"),
            _ => self.call.refused.map(|reason| reason.row().name),
        }
    }

    /// One line, with its end. `time` is the call's in the common log format.
    fn write(&self, line: &mut Vec<u8>, time: &str, latency: Duration) {
        let call = &self.call;
        line.reserve(LINE_BYTES_USUAL);
        safe(line, "{\"requestId\":\"", call.ids.request_bytes());
        safe(line, ",\"extendedRequestId\":\"", call.ids.extended_bytes());
        safe(line, ",\"requestTime\":\"", time.as_bytes());
        number(
            line,
            ",\"requestTimeEpoch\":",
            call.received_ms.max(0) as u64,
        );
        if let Some(stage) = &call.stage {
            line.extend_from_slice(stage.log_members.as_bytes());
        }
        if let Some(method) = call.method() {
            line.extend_from_slice(method.log_members.as_bytes());
        }
        safe(
            line,
            ",\"httpMethod\":\"",
            call.http_method.as_str().as_bytes(),
        ); // a token has nothing to escape
        json::member(line, "path");
        json::string(line, call.context_path());
        safe(line, ",\"protocol\":\"", protocol(call.version).as_bytes());
        if let Some(host) = call.domain_name() {
            text(line, "domainName", host);
        }
        let status = self.status.unwrap_or(CLIENT_CLOSED);
        number(line, ",\"status\":", status.into());
        number(line, ",\"responseLength\":", self.bytes_sent);
        milliseconds(line, ",\"responseLatency\":", latency);
        if let Some(latency) = call.integration_latency {
            milliseconds(line, ",\"integrationLatency\":", latency);
        }
        if let Some(status) = call.integration_status {
            number(line, ",\"integrationStatus\":", status.into());
        }
        header(line, "identity.sourceIp", Some(&call.peer.remote_ip));
        header(line, "identity.userAgent", call.user_agent.as_ref());
        if let Some(key) = &call.api_key_id {
            text(line, "identity.apiKeyId", key.as_str());
        }
        if let Some(plan) = &call.usage_plan {
            text(line, "usagePlanId", &plan.id);
        }
        if let Some(Row {
            response_type,
            message,
            ..
        }) = call.refused.map(|reason| reason.row())
        {
            text(line, "error.responseType", response_type);
            text(line, "error.message", message);
        }
        if let Some(reason) = self.reason() {
            text(line, "reason", reason);
        }
        line.extend_from_slice(b"}\n");
    }
}

/// Members of every line about a stage or a method, made once: with their commas and escaped.
pub fn fixed_members(members: [(&str, &str); 2]) -> Box<str> {
    let mut fixed = Vec::new();
    for (name, value) in members {
        text(&mut fixed, name, value);
    }
    String::from_utf8_lossy(&fixed).into()
}

impl Drop for Entry {
    fn drop(&mut self) {
        let latency = Instant::now().saturating_duration_since(self.call.received);
        let Recorder {
            log,
            metrics,
            worker,
        } = &*self.recorder;
        if let Some(log) = log {
            let second = self.call.received_ms.div_euclid(1000);
            log.append(*worker, second, |line, time| {
                self.write(line, time, latency)
            });
        }
        metrics.count(*worker, self.call.refused, latency);
        if let Some(key) = &self.call.api_key_id {
            let reason = self.call.refused.map(Reason::row);
            let limited = reason.is_some_and(|row| row.status == 429);
            let recent = metrics.recent_keys(*worker);
            recent.note(key, limited, self.call.received_ms);
        }
        if let Some(stage) = &self.call.stage {
            if let Some(log) = &stage.access_log {
                let facts = Facts {
                    call: &self.call,
                    stage: Some(stage),
                    request_headers: None, // a key's value is never logged
                    answered: Some(Answered {
                        status: self.status.unwrap_or(CLIENT_CLOSED),
                        bytes: self.bytes_sent,
                        latency,
                    }),
                };
                log.append(*worker, &facts);
            }
            stage.stats.count(*worker, self.outcome());
        }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn text(line: &mut Vec<u8>, name: &str, value: &str) {
    json::member(line, name);
    json::string(line, [value]);
}

/// A text in which nothing is to be escaped; `name` up to the text's own quote.
fn safe(line: &mut Vec<u8>, name: &str, value: &[u8]) {
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(value);
    line.push(b'"');
}

fn header(line: &mut Vec<u8>, name: &str, value: Option<&HeaderValue>) {
    match value.map(|value| (value, value.to_str())) {
        Some((_, Ok(ascii))) => text(line, name, ascii),
        Some((value, Err(_))) => text(line, name, &String::from_utf8_lossy(value.as_bytes())),
        None => {}
    }
}

/// `name` with its comma and colon.
fn number(line: &mut Vec<u8>, name: &str, value: u64) {
    line.extend_from_slice(name.as_bytes());
    json::integer(line, value);
}

fn milliseconds(line: &mut Vec<u8>, name: &str, value: Duration) {
    let us = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    number(line, name, us / 1000);
    json::thousandths(line, us % 1000);
}

pub(crate) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
