//! The places of an API that have no documentation part.

use std::collections::BTreeSet;

use tollgate_entity::{
    Authorizer, DocumentationPart, DocumentationPartLocation as Location, Method, Model, Resource,
};
use tollgate_store::Reader;

use super::location::whole;
use crate::error::Error;

/// The places that no part speaks of: the API, its authorizers and models, then path by path.
pub(super) fn places(
    reader: &Reader<'_>,
    api: &str,
    parts: &[DocumentationPart],
) -> Result<Vec<Location>, Error> {
    let documented: BTreeSet<Location> = parts.iter().map(|part| whole(&part.location)).collect();
    let mut all = vec![of("API")];
    for authorizer in reader.list::<Authorizer>(api)? {
        all.push(named("AUTHORIZER", &authorizer.name));
    }
    for model in reader.list::<Model>(api)? {
        all.push(named("MODEL", &model.name));
    }
    let mut resources: Vec<Resource> = reader.list(api)?;
    resources.sort_by(|a, b| a.path.cmp(&b.path));
    for resource in &resources {
        let at = |part_type: &str| Location {
            path: Some(resource.path.clone()),
            ..of(part_type)
        };
        all.push(at("RESOURCE"));
        for (verb, method) in &resource.resource_methods {
            let of_method = |part_type: &str| Location {
                method: Some(verb.clone()),
                ..at(part_type)
            };
            below_method(method, of_method, &mut all);
        }
    }
    all.retain(|location| !documented.contains(&whole(location)));
    Ok(all)
}

fn below_method(method: &Method, at: impl Fn(&str) -> Location, all: &mut Vec<Location>) {
    all.push(at("METHOD"));
    for parameter in method.request_parameters.iter().flat_map(|map| map.keys()) {
        let mut parts = parameter.splitn(4, '.').skip(2);
        let part_type = match parts.next() {
            Some("path") => "PATH_PARAMETER",
            Some("querystring" | "multivaluequerystring") => "QUERY_PARAMETER",
            _ => "REQUEST_HEADER",
        };
        all.push(Location {
            name: parts.next().map(str::to_owned),
            ..at(part_type)
        });
    }
    if method.request_models.is_some() {
        all.push(at("REQUEST_BODY"));
    }
    for (status, response) in method.method_responses.iter().flatten() {
        let of_status = |part_type: &str| Location {
            status_code: Some(status.clone()),
            ..at(part_type)
        };
        all.push(of_status("RESPONSE"));
        for header in response
            .response_parameters
            .iter()
            .flat_map(|map| map.keys())
        {
            all.push(Location {
                name: header.splitn(4, '.').nth(3).map(str::to_owned),
                ..of_status("RESPONSE_HEADER")
            });
        }
        if response.response_models.is_some() {
            all.push(of_status("RESPONSE_BODY"));
        }
    }
}

fn of(part_type: &str) -> Location {
    Location {
        part_type: part_type.to_owned(),
        ..Location::default()
    }
}

fn named(part_type: &str, name: &str) -> Location {
    Location {
        name: Some(name.to_owned()),
        ..of(part_type)
    }
}
