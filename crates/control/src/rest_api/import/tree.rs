//! The paths of a definition become the resources of an API; those that stay keep their ids.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use tollgate_entity::{Method, Resource};

use super::Mode;
use crate::resource::tree;

/// The resources of an API after an import.
#[derive(Debug, Default)]
pub struct Placed {
    /// All that there are, parents first.
    pub resources: Vec<Resource>,
    /// Ids of those that are no more.
    pub gone: Vec<String>,
}

/// Puts the methods at their paths. What cannot stand where a path wants it is told with the path.
pub fn placed(
    existing: Vec<Resource>,
    paths: IndexMap<String, BTreeMap<String, Method>>,
    mode: Mode,
    new_id: impl FnMut() -> String,
) -> Result<Placed, Vec<String>> {
    let (kept, gone) = match mode {
        Mode::Merge => (existing, Vec::new()),
        Mode::Overwrite => emptied(existing, &paths),
    };
    let mut placing = Placing::of(kept, new_id);
    let mut errors = Vec::new();
    for (path, methods) in paths {
        match placing.at(&path) {
            Ok(number) => placing.resources[number].resource_methods.extend(methods),
            Err(error) => errors.push(format!(
                "Unable to create resource at path '{path}': {error}"
            )),
        }
    }
    let gone = gone.into_iter().map(|resource| resource.id).collect();
    if errors.is_empty() {
        let resources = placing.resources;
        Ok(Placed { resources, gone })
    } else {
        Err(errors)
    }
}

/// The resources that the paths need, without their methods, and those that they do not.
fn emptied(
    existing: Vec<Resource>,
    paths: &IndexMap<String, BTreeMap<String, Method>>,
) -> (Vec<Resource>, Vec<Resource>) {
    let mut needed = BTreeSet::from(["/"]);
    for path in paths.keys() {
        let ends = path.match_indices('/').map(|(end, _)| &path[..end]);
        needed.extend(ends.filter(|above| !above.is_empty()));
        needed.insert(path);
    }
    let (mut kept, gone): (Vec<_>, Vec<_>) = existing
        .into_iter()
        .partition(|resource| needed.contains(resource.path.as_str()));
    for resource in &mut kept {
        resource.resource_methods.clear();
    }
    (kept, gone)
}

/// Resources while they are put in their places.
struct Placing<F> {
    resources: Vec<Resource>,
    by_path: HashMap<String, usize>,
    /// The variable part below a path; there may be one.
    variables: HashMap<String, String>,
    new_id: F,
}

impl<F: FnMut() -> String> Placing<F> {
    fn of(resources: Vec<Resource>, new_id: F) -> Self {
        let by_path = resources.iter().enumerate();
        let by_path = by_path.map(|(number, resource)| (resource.path.clone(), number));
        let variables = resources.iter().filter(|resource| resource.is_variable());
        let variables = variables.filter_map(|resource| {
            let part = resource.path_part.clone()?;
            let above = resource
                .path
                .rsplit_once('/')
                .map_or("", |(above, _)| above);
            Some((above.to_owned(), part))
        });
        Placing {
            by_path: by_path.collect(),
            variables: variables.collect(),
            resources,
            new_id,
        }
    }

    /// The resource of that path, made with all above it where it is not there.
    fn at(&mut self, path: &str) -> Result<usize, String> {
        let mut number = *self.by_path.get("/").ok_or("The API has no root")?;
        if path == "/" {
            return Ok(number);
        }
        let ends = path.match_indices('/').skip(1).map(|(end, _)| end);
        for end in ends.chain([path.len()]) {
            number = match self.by_path.get(&path[..end]) {
                Some(known) => *known,
                None => self.make(&path[..end], number)?,
            };
        }
        Ok(number)
    }

    fn make(&mut self, path: &str, parent: usize) -> Result<usize, String> {
        let (above, part) = path.rsplit_once('/').unwrap_or(("", path));
        if !tree::is_path_part(part) {
            return Err(tree::bad_part().to_string());
        }
        let parent = &self.resources[parent];
        if parent.is_greedy() {
            let greedy = parent.path_part.as_deref().unwrap_or_default();
            return Err(tree::childless(greedy).to_string());
        }
        let resource = Resource {
            rest_api_id: parent.rest_api_id.clone(),
            id: (self.new_id)(),
            parent_id: Some(parent.id.clone()),
            path_part: Some(part.to_owned()),
            path: path.to_owned(),
            ..Resource::default()
        };
        if resource.is_variable() {
            if let Some(sibling) = self.variables.get(above) {
                return Err(tree::second_variable(sibling).to_string());
            }
            self.variables.insert(above.to_owned(), part.to_owned());
        }
        self.by_path.insert(path.to_owned(), self.resources.len());
        self.resources.push(resource);
        Ok(self.resources.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> IndexMap<String, BTreeMap<String, Method>> {
        let get = || BTreeMap::from([("GET".to_owned(), Method::default())]);
        paths
            .iter()
            .map(|path| ((*path).to_owned(), get()))
            .collect()
    }

    fn place(existing: Vec<Resource>, new: &[&str], mode: Mode) -> Result<Placed, Vec<String>> {
        let mut number = existing.len();
        placed(existing, paths(new), mode, || {
            number += 1;
            format!("id{number}")
        })
    }

    fn root() -> Vec<Resource> {
        vec![Resource {
            id: "root".into(),
            path: "/".into(),
            ..Resource::default()
        }]
    }

    fn shown(placed: &Placed) -> Vec<String> {
        let show = |at: &Resource| format!("{} {} {}", at.path, at.id, at.resource_methods.len());
        placed.resources.iter().map(show).collect()
    }

    #[test]
    fn ancestors_are_made_and_what_stays_keeps_its_id() {
        let first = place(root(), &["/a/{x}/c", "/"], Mode::Overwrite).unwrap();
        assert_eq!(
            shown(&first),
            ["/ root 1", "/a id2 0", "/a/{x} id3 0", "/a/{x}/c id4 1"]
        );
        let merged = place(first.resources.clone(), &["/a", "/b"], Mode::Merge).unwrap();
        assert_eq!(
            shown(&merged),
            [
                "/ root 1",
                "/a id2 1",
                "/a/{x} id3 0",
                "/a/{x}/c id4 1",
                "/b id5 1"
            ]
        );
        let over = place(merged.resources, &["/a/{y}", "/b"], Mode::Overwrite).unwrap();
        assert_eq!(
            shown(&over),
            ["/ root 0", "/a id2 0", "/b id5 1", "/a/{y} id6 1"]
        );
        assert_eq!(over.gone, ["id3", "id4"]);
    }

    #[test]
    fn paths_that_collide_are_named() {
        let error = place(root(), &["/a/{x}", "/a/{y}/b", "/a/{x+}"], Mode::Overwrite).unwrap_err();
        let text = |path: &str| {
            format!(
                "Unable to create resource at path '{path}': A sibling ({{x}}) of this resource already has a variable path part -- only one is allowed"
            )
        };
        assert_eq!(error, [text("/a/{y}/b"), text("/a/{x+}")]);
        let below = place(root(), &["/{p+}", "/{p+}/x", "/a b"], Mode::Overwrite).unwrap_err();
        assert!(
            below[0]
                .ends_with("Cannot create a child of a resource with a greedy path variable: {p+}"),
            "{below:?}"
        );
        assert!(
            below[1].starts_with(
                "Unable to create resource at path '/a b': Resource's path part only allow"
            ),
            "{below:?}"
        );
    }
}
