//! What a template reads: the call, the body it is about, and what templates before it have said.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderMap;
use indexmap::IndexMap;
use percent_encoding::percent_decode_str;

use super::budget::RenderError;
use super::heap::{Heap, Map, MapId, MapKind, Value};
use super::json;
use super::print::text_of;
use crate::mapping::context;
use crate::mapping::expression::{Values, path_variables};
use crate::mapping::query;

/// What lasts from a call's request template to its response template.
#[derive(Debug, Default)]
pub struct Lasting {
    pub heap: Heap,
    context: Option<MapId>,
}

/// Everything one template may read.
pub struct Scope<'a> {
    lasting: &'a mut Lasting,
    values: Values<'a>,
    body: &'a str,
    body_value: Option<Value>,
    parameters: Option<[MapId; 3]>,
    stage_variables: Option<Value>,
    /// Whether `$context` was brought up to date for this template.
    is_fresh: bool,
}

/// Headers, query parameters or path parameters that a template sets, each with its values.
pub type Parameters = Vec<(Arc<str>, Vec<Arc<str>>)>;

/// What `$context.requestOverride` holds.
#[derive(Debug, Default, PartialEq)]
pub struct RequestOverride {
    pub headers: Parameters,
    pub queries: Parameters,
    pub path: Parameters,
}

/// What `$context.responseOverride` holds.
#[derive(Debug, Default, PartialEq)]
pub struct ResponseOverride {
    pub headers: Parameters,
    /// From 100 to 599.
    pub status: Option<u16>,
}

impl<'a> Scope<'a> {
    /// `body`: what `$input` is about; an empty one is an empty object, as on AWS.
    pub fn new(lasting: &'a mut Lasting, values: Values<'a>, body: &'a str) -> Scope<'a> {
        Scope {
            lasting,
            values,
            body: if body.is_empty() { "{}" } else { body },
            body_value: None,
            parameters: None,
            stage_variables: None,
            is_fresh: false,
        }
    }

    pub fn heap(&mut self) -> &mut Heap {
        &mut self.lasting.heap
    }

    /// `$input.body`
    pub fn body_text(&mut self) -> Result<Value, RenderError> {
        let body = self.body;
        self.heap().text(body)
    }

    /// The body as a document. What does not begin as JSON is a text.
    pub fn body_value(&mut self) -> Result<Value, RenderError> {
        if let Some(value) = &self.body_value {
            return Ok(value.clone());
        }
        let body = self.body;
        let value = match json::read(self.heap(), body) {
            Err(RenderError::Body(_)) if !body.trim_start().starts_with(['{', '[', '"']) => {
                self.heap().text(body)?
            }
            read => read?,
        };
        self.body_value = Some(value.clone());
        Ok(value)
    }

    /// `$context`: made by the first template that asks, and then the templates' own.
    pub fn context(&mut self) -> Result<Value, RenderError> {
        let id = match self.lasting.context {
            Some(id) if self.is_fresh => return Ok(Value::Map(id)),
            Some(id) => id,
            None => self.new_context()?,
        };
        self.is_fresh = true;
        self.lasting.context = Some(id);
        let values = self.values;
        for (name, value) in context::known(&values) {
            let value = self.heap().text(value)?;
            self.put_at(id, name, value)?;
        }
        Ok(Value::Map(id))
    }

    fn new_context(&mut self) -> Result<MapId, RenderError> {
        let heap = self.heap();
        let id = heap.add_map(Map::default())?;
        for (name, parts) in [
            ("requestOverride", &["header", "path", "querystring"][..]),
            ("responseOverride", &["header"]),
        ] {
            let own = heap.add_map(Map::default())?;
            for part in parts {
                let inner = heap.add_map(Map::default())?;
                heap.put(own, (*part).into(), Value::Map(inner))?;
            }
            heap.put(id, name.into(), Value::Map(own))?;
        }
        Ok(id)
    }

    /// Puts a value under a name with dots.
    fn put_at(&mut self, id: MapId, name: &str, value: Value) -> Result<(), RenderError> {
        let heap = self.heap();
        let mut own = id;
        let mut rest = name;
        while let Some((first, more)) = rest.split_once('.') {
            own = match heap.get(own, first) {
                Value::Map(inner) => inner,
                _ => {
                    let inner = heap.add_map(Map::default())?;
                    heap.put(own, first.into(), Value::Map(inner))?;
                    inner
                }
            };
            rest = more;
        }
        heap.put(own, rest.into(), value).map(drop)
    }

    /// `$stageVariables`
    pub fn stage_variables(&mut self) -> Result<Value, RenderError> {
        if let Some(value) = &self.stage_variables {
            return Ok(value.clone());
        }
        let mut map = IndexMap::new();
        let stage = self.values.stage;
        for (name, value) in &stage.variables {
            map.insert(name.as_str().into(), self.heap().text(value.as_str())?);
        }
        let value = self.heap().new_map(map)?;
        self.stage_variables = Some(value.clone());
        Ok(value)
    }

    /// `$input.params()`
    pub fn parameters(&mut self) -> Result<Value, RenderError> {
        let [path, queries, headers] = self.parameter_maps()?;
        let parts = [
            ("path", path),
            ("querystring", queries),
            ("header", headers),
        ];
        let all = parts.map(|(name, id)| (Arc::from(name), Value::Map(id)));
        self.heap().new_map(all.into())
    }

    /// `$input.params(name)`: from the path, the query or the headers, in this order; else empty.
    pub fn parameter(&mut self, name: &str) -> Result<Value, RenderError> {
        for id in self.parameter_maps()? {
            let value = self.heap().get(id, name);
            if value != Value::Null {
                return Ok(value);
            }
        }
        self.heap().text("")
    }

    fn parameter_maps(&mut self) -> Result<[MapId; 3], RenderError> {
        if let Some(maps) = self.parameters {
            return Ok(maps);
        }
        let Values {
            call,
            request_headers,
            ..
        } = self.values;
        let path = call.method().map(|method| &*method.resource_path);
        let path = path_variables(path.unwrap_or_default()).enumerate();
        let path = path.filter_map(|(index, (name, _))| {
            let value = call.path_parameter(index)?;
            Some((
                Cow::Borrowed(name),
                percent_decode_str(value).decode_utf8_lossy(),
            ))
        });
        let path = self.map_of(path, MapKind::Plain)?;
        // Of several the last holds.
        let queries = query::pairs(call.uri.query().unwrap_or_default());
        let queries = self.map_of(queries, MapKind::Plain)?;
        let headers = self.map_of(headers(request_headers), MapKind::Headers)?;
        let maps = [path, queries, headers];
        self.parameters = Some(maps);
        Ok(maps)
    }

    fn map_of<'v>(
        &mut self,
        pairs: impl Iterator<Item = (Cow<'v, str>, Cow<'v, str>)>,
        kind: MapKind,
    ) -> Result<MapId, RenderError> {
        let mut entries = IndexMap::new();
        for (name, value) in pairs {
            entries.insert(name.into(), self.heap().text(value)?);
        }
        self.heap().add_map(Map { entries, kind })
    }
}

/// Each header once, with the first of its values.
fn headers(headers: &HeaderMap) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    headers.keys().filter_map(|name| {
        let value = headers.get(name)?;
        Some((
            Cow::Borrowed(name.as_str()),
            String::from_utf8_lossy(value.as_bytes()),
        ))
    })
}

impl Lasting {
    /// What templates have said about the request so far.
    ///
    /// # Errors
    /// Beyond a limit.
    pub fn request_override(&mut self) -> Result<RequestOverride, RenderError> {
        let Some(own) = self.context_map("requestOverride") else {
            return Ok(RequestOverride::default());
        };
        Ok(RequestOverride {
            headers: self.parameters(own, "header")?,
            queries: self.parameters(own, "querystring")?,
            path: self.parameters(own, "path")?,
        })
    }

    /// What templates have said about the response so far. A status that is none is left out.
    ///
    /// # Errors
    /// Beyond a limit.
    pub fn response_override(&mut self) -> Result<ResponseOverride, RenderError> {
        let Some(own) = self.context_map("responseOverride") else {
            return Ok(ResponseOverride::default());
        };
        let status = match self.heap.get(own, "status") {
            Value::Integer(status @ 100..=599) => u16::try_from(status).ok(),
            _ => None,
        };
        Ok(ResponseOverride {
            headers: self.parameters(own, "header")?,
            status,
        })
    }

    fn context_map(&self, name: &str) -> Option<MapId> {
        match self.heap.get(self.context?, name) {
            Value::Map(id) => Some(id),
            _ => None,
        }
    }

    fn parameters(&mut self, own: MapId, name: &str) -> Result<Parameters, RenderError> {
        let Value::Map(id) = self.heap.get(own, name) else {
            return Ok(Parameters::new());
        };
        let entries = self.heap.map(id).entries.clone();
        let mut all = Parameters::with_capacity(entries.len());
        for (name, value) in entries {
            let values = match value {
                Value::Null => continue,
                Value::List(list) => self.heap.list(list).items.clone(),
                value => vec![value],
            };
            let texts = values.iter().map(|value| text_of(&mut self.heap, value));
            all.push((name, texts.collect::<Result<_, _>>()?));
        }
        Ok(all)
    }
}
