//! Locations of documentation parts: which members each type has, and whether two are the same place.

use tollgate_entity::DocumentationPartLocation as Location;

use crate::check::Check;
use crate::error::Error;

/// AWS's enumeration, in the order its refusals list it.
pub(crate) const TYPES: [&str; 12] = [
    "RESPONSE_BODY",
    "RESPONSE",
    "METHOD",
    "MODEL",
    "AUTHORIZER",
    "RESPONSE_HEADER",
    "RESOURCE",
    "PATH_PARAMETER",
    "REQUEST_BODY",
    "QUERY_PARAMETER",
    "API",
    "REQUEST_HEADER",
];

/// A member of a location, what it is where it is left out, and how it is read and cleared.
struct Member {
    name: &'static str,
    default: &'static str,
    of: fn(&mut Location) -> &mut Option<String>,
    /// The types that have it.
    types: &'static [&'static str],
}

const BELOW_METHOD: &[&str] = &[
    "METHOD",
    "PATH_PARAMETER",
    "QUERY_PARAMETER",
    "REQUEST_HEADER",
    "REQUEST_BODY",
    "RESPONSE",
    "RESPONSE_HEADER",
    "RESPONSE_BODY",
];
const MEMBERS: [Member; 4] = [
    Member {
        name: "path",
        default: "/",
        of: |location| &mut location.path,
        types: &[
            "RESOURCE",
            "METHOD",
            "PATH_PARAMETER",
            "QUERY_PARAMETER",
            "REQUEST_HEADER",
            "REQUEST_BODY",
            "RESPONSE",
            "RESPONSE_HEADER",
            "RESPONSE_BODY",
        ],
    },
    Member {
        name: "method",
        default: "*",
        of: |location| &mut location.method,
        types: BELOW_METHOD,
    },
    Member {
        name: "statusCode",
        default: "*",
        of: |location| &mut location.status_code,
        types: &["RESPONSE", "RESPONSE_HEADER", "RESPONSE_BODY"],
    },
    Member {
        name: "name",
        default: "",
        of: |location| &mut location.name,
        types: &[
            "AUTHORIZER",
            "MODEL",
            "PATH_PARAMETER",
            "QUERY_PARAMETER",
            "REQUEST_HEADER",
            "REQUEST_BODY",
            "RESPONSE_HEADER",
        ],
    },
];
/// The types that mean nothing without a name.
const NAMED: [&str; 6] = [
    "AUTHORIZER",
    "MODEL",
    "PATH_PARAMETER",
    "QUERY_PARAMETER",
    "REQUEST_HEADER",
    "RESPONSE_HEADER",
];

/// The front layer's check of a type.
pub(super) fn check_type(check: &mut Check, at: &str, part_type: &str) {
    check.one_of(at, part_type, &TYPES);
}

/// Checks a location; empty members are none.
pub(crate) fn checked(mut location: Location) -> Result<Location, Error> {
    let part_type = location.part_type.clone();
    if !TYPES.contains(&part_type.as_str()) {
        return Err(Error::bad_request(format!(
            "Invalid documentation part type specified: {part_type}"
        )));
    }
    for member in &MEMBERS {
        let value = (member.of)(&mut location);
        value.take_if(|text| text.is_empty());
        if value.is_some() && !member.types.contains(&part_type.as_str()) {
            return Err(Error::bad_request(format!(
                "Invalid location specified: '{}' is not a valid field for type '{part_type}'",
                member.name
            )));
        }
    }
    if NAMED.contains(&part_type.as_str()) && location.name.is_none() {
        return Err(Error::bad_request(format!(
            "Invalid location specified: 'name' is a required field for type '{part_type}'"
        )));
    }
    Ok(location)
}

/// The location with what is left out put in, so that two that mean the same place are equal.
pub(crate) fn whole(location: &Location) -> Location {
    let mut location = location.clone();
    for member in &MEMBERS {
        if member.types.contains(&location.part_type.as_str()) {
            let default = member.default.to_owned();
            (member.of)(&mut location).get_or_insert(default);
        }
    }
    location
}

/// A location as refusals show it: `type 'METHOD', path '/pets', method 'GET'`.
pub(crate) fn shown(location: &Location) -> String {
    let mut location = location.clone();
    let mut text = format!("type '{}'", location.part_type);
    for member in &MEMBERS {
        if let Some(value) = (member.of)(&mut location) {
            text.push_str(&format!(", {} '{value}'", member.name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(part_type: &str, members: &[(&str, &str)]) -> Location {
        let mut location = Location {
            part_type: part_type.to_owned(),
            ..Location::default()
        };
        for (name, value) in members {
            let member = MEMBERS.iter().find(|member| member.name == *name).unwrap();
            *(member.of)(&mut location) = Some((*value).to_owned());
        }
        location
    }

    #[test]
    fn each_type_has_its_members() {
        for fine in [
            of("API", &[]),
            of("MODEL", &[("name", "Pet")]),
            of("RESOURCE", &[("path", "/pets")]),
            of("METHOD", &[("path", "/pets"), ("method", "GET")]),
            of("QUERY_PARAMETER", &[("name", "q")]),
            of("REQUEST_BODY", &[("path", "/"), ("method", "POST")]),
            of("RESPONSE_HEADER", &[("statusCode", "200"), ("name", "h")]),
            of("API", &[("path", "")]),
        ] {
            assert!(checked(fine.clone()).is_ok(), "{}", shown(&fine));
        }
        for bad in [
            of("OTHER", &[]),
            of("API", &[("path", "/")]),
            of("MODEL", &[]),
            of("MODEL", &[("name", "Pet"), ("path", "/")]),
            of("METHOD", &[("statusCode", "200")]),
            of("RESOURCE", &[("method", "GET")]),
            of("RESPONSE", &[("name", "h")]),
            of("PATH_PARAMETER", &[("path", "/")]),
        ] {
            assert!(checked(bad.clone()).is_err(), "{}", shown(&bad));
        }
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        let short = of("RESPONSE", &[("path", "/pets")]);
        let long = of(
            "RESPONSE",
            &[("path", "/pets"), ("method", "*"), ("statusCode", "*")],
        );
        assert_eq!(whole(&short), long);
        assert_eq!(whole(&of("API", &[])), of("API", &[]));
        assert_eq!(
            shown(&long),
            "type 'RESPONSE', path '/pets', method '*', statusCode '*'"
        );
    }
}
