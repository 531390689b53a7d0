//! Mapping templates: whatever one says, it is refused or ends within its limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_entity as entity;
use tollgate_entity::DeploymentContent;

use super::uri::{call, stage};
use crate::deployed::Deployed;
use crate::mapping::expression::Values;
use crate::mapping::template::{LIMITS, Lasting, RenderError, Scope, Template};

/// The call that templates are tried with.
const RESOURCE: &str = "/pets/{id}";
const TARGET: &str = "/pets/a%20b?x=1&x=2&q=caf%C3%A9+au";

/// A template and a body, with a zero byte between them.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (text, body) = text
        .split_once('\0')
        .unwrap_or((&text, "{\"a\":[1,{\"b\":\"c\"}]}"));
    let Ok(template) = Template::parse(text) else {
        return;
    };
    if !text.contains(['$', '#', '\\']) {
        assert_eq!(template.literal(), Some(text));
    }
    let mut lasting = Lasting::default();
    let rendered = render(&template, &mut lasting, body);
    if let Some(literal) = template.literal() {
        assert_eq!(rendered.as_deref(), Ok(literal));
    }
    if let Ok(rendered) = rendered {
        assert!(rendered.len() <= LIMITS.output_bytes_max);
        // The same again, as a response's template after a request's.
        let again = render(&template, &mut lasting, body);
        assert!(again.is_err() || again.is_ok_and(|text| text.len() <= LIMITS.output_bytes_max));
    }
    let _ = lasting.request_override();
    let _ = lasting.response_override();
}

/// What a template gives for a call of [`RESOURCE`].
pub fn render(
    template: &Template,
    lasting: &mut Lasting,
    body: &str,
) -> Result<String, RenderError> {
    let method = entity::Method {
        http_method: "GET".into(),
        authorization_type: "NONE".into(),
        ..Default::default()
    };
    let resource = entity::Resource {
        id: "r1".into(),
        path: RESOURCE.into(),
        resource_methods: BTreeMap::from([("GET".into(), method)]),
        ..Default::default()
    };
    let content = DeploymentContent {
        resources: vec![resource],
        ..Default::default()
    };
    let variables = [("colour", "blue"), ("host", "h.test")];
    let mut stage = stage(variables.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    stage.deployed = Arc::new(Deployed::compile(&content));
    let stage = Arc::new(stage);
    let mut call = call(RESOURCE, TARGET).unwrap();
    call.stage = Some(Arc::clone(&stage));
    let mut headers = HeaderMap::new();
    for (name, value) in [("accept", "text/html"), ("x-name", "Ann"), ("x-name", "Bo")] {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    let values = Values {
        call: &call,
        stage: &stage,
        request_headers: &headers,
    };
    template.render(&mut Scope::new(lasting, values, body))
}
