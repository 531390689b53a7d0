//! SdkType: the kinds of client code AWS generates and what each asks for. GetSdk itself is not here.

use serde::Serialize;

use crate::error::Error;
use crate::extract::{Json, Path};
use crate::page::{Items, Page};

/// A kind of client code.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SdkType {
    id: &'static str,
    friendly_name: &'static str,
    description: &'static str,
    configuration_properties: &'static [Property],
}

/// What a generator asks for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    name: &'static str,
    friendly_name: &'static str,
    description: &'static str,
    required: bool,
}

const fn required(
    name: &'static str,
    friendly_name: &'static str,
    description: &'static str,
) -> Property {
    Property {
        name,
        friendly_name,
        description,
        required: true,
    }
}

const fn optional(
    name: &'static str,
    friendly_name: &'static str,
    description: &'static str,
) -> Property {
    Property {
        name,
        friendly_name,
        description,
        required: false,
    }
}

const PREFIX: &[Property] = &[required(
    "classPrefix",
    "Prefix",
    "What the names of the generated classes begin with",
)];

/// By id.
#[rustfmt::skip]
static SDK_TYPES: [SdkType; 6] = [
    SdkType { id: "android", friendly_name: "Android", description: "Client code for Android", configuration_properties: &[
        required("groupId", "Group ID", "The Maven group of the package"),
        required("artifactId", "Artifact ID", "The Maven artifact of the package"),
        required("artifactVersion", "Artifact Version", "The version of the package"),
        required("invokerPackage", "Invoker package", "The Java package of the generated classes"),
    ] },
    SdkType { id: "java", friendly_name: "Java SDK", description: "Client code for Java", configuration_properties: &[
        required("service.name", "Service Name", "What the generated client is named after"),
        required("java.package-name", "Java Package Name", "The Java package of the generated classes"),
        optional("java.build-system", "Java Build System", "The build system of the generated project"),
        optional("java.group-id", "Java Group Id", "The Maven group of the package"),
        optional("java.artifact-id", "Java Artifact Id", "The Maven artifact of the package"),
        optional("java.artifact-version", "Java Artifact Version", "The version of the package"),
        optional("java.license-text", "Source Code License Text", "The license in the generated files"),
        optional("java.license-url", "Source Code License URL", "Where the license stands"),
    ] },
    SdkType { id: "javascript", friendly_name: "JavaScript", description: "Client code for JavaScript in browsers", configuration_properties: &[] },
    SdkType { id: "objectivec", friendly_name: "iOS (Objective-C)", description: "Client code for iOS in Objective-C", configuration_properties: PREFIX },
    SdkType { id: "ruby", friendly_name: "Ruby", description: "Client code for Ruby", configuration_properties: &[
        required("service.name", "Service Name", "What the generated client is named after"),
        optional("ruby.gem-name", "Ruby Gem Name", "The name of the gem"),
        optional("ruby.gem-version", "Ruby Gem Version", "The version of the gem"),
    ] },
    SdkType { id: "swift", friendly_name: "iOS (Swift)", description: "Client code for iOS in Swift", configuration_properties: PREFIX },
];

/// GetSdkTypes: by id.
pub async fn list(page: Page) -> Json<Items<SdkType>> {
    Json(page.cut(SDK_TYPES, |kind| kind.id.to_owned()))
}

/// GetSdkType.
pub async fn get(Path(id): Path<String>) -> Result<Json<SdkType>, Error> {
    let found = SDK_TYPES.iter().find(|kind| kind.id == id);
    found
        .map(|kind| Json(*kind))
        .ok_or_else(|| Error::not_found("Invalid SDK type identifier specified"))
}

#[cfg(test)]
mod tests {
    use crate::testing::{Gateway, text};

    #[tokio::test]
    async fn aws_kinds_are_listed_and_none_is_generated() {
        let gateway = Gateway::new();
        let list = gateway.get("/sdktypes?limit=4").await.ok(200);
        let ids = |list: &serde_json::Value| -> Vec<String> {
            let items = list["item"].as_array().unwrap().iter();
            items.map(|one| text(one, "id")).collect()
        };
        assert_eq!(ids(&list), ["android", "java", "javascript", "objectivec"]);
        let rest = format!("/sdktypes?position={}", text(&list, "position"));
        assert_eq!(ids(&gateway.get(&rest).await.ok(200)), ["ruby", "swift"]);
        let swift = gateway.get("/sdktypes/swift").await.ok(200);
        assert_eq!(swift["configurationProperties"][0]["name"], "classPrefix");
        gateway
            .get("/sdktypes/cobol")
            .await
            .missing("Invalid SDK type identifier specified");
        let refused = gateway.get("/restapis/a/stages/s/sdks/java").await;
        assert_eq!(refused.status, 501);
        assert!(text(&refused.body, "message").contains("GetExport"));
    }
}
