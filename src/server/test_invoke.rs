//! TestInvokeMethod: hands a method from the control plane to the data plane, and its answer back.

use tollgate_control::test_invoke::{Tested, TestedMethod};
use tollgate_proxy::test_invoke::{Test, Tester};

/// Calls the method.
///
/// # Errors
/// What is wrong with the request, for its sender.
pub async fn test(tester: &Tester, test: TestedMethod) -> Result<Tested, String> {
    let tested = tester
        .run(Test {
            content: test.content,
            rest_api_id: test.rest_api_id,
            account_id: test.account_id,
            http_method: test.http_method,
            path_with_query: test.path_with_query,
            headers: test.headers,
            body: test.body.into(),
            stage_variables: test.stage_variables,
        })
        .await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = tested.headers.iter();
    Ok(Tested {
        status: tested.status,
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
            .collect(),
        body: text(&tested.body),
        request_id: tested.request_id,
        log: tested.log,
        latency_ms: tested.latency_ms,
    })
}
