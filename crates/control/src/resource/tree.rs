//! The resources of one API as a tree: who may stand under whom, and what path that makes.

use tollgate_entity::Resource;

use crate::error::Error;
use crate::find::unknown_resource;

/// All resources of one API.
pub(crate) struct Tree {
    resources: Vec<Resource>,
}

impl Tree {
    pub fn of(resources: Vec<Resource>) -> Self {
        Tree { resources }
    }

    /// Puts `resource` under `parent` as `part`, if its new siblings and parents allow it.
    pub fn place(&self, resource: &mut Resource, parent: &str, part: &str) -> Result<(), Error> {
        let parent = self.find(parent)?;
        if self
            .with_descendants(&resource.id)
            .contains(&parent.id.as_str())
        {
            return Err(Error::bad_request("Resources cannot be cyclical."));
        }
        if !is_path_part(part) {
            return Err(bad_part());
        }
        if parent.is_greedy() {
            return Err(childless(parent.path_part.as_deref().unwrap_or_default()));
        }
        self.check_siblings(resource, &parent.id, part)?;
        resource.path = if parent.path == "/" {
            format!("/{part}")
        } else {
            format!("{}/{part}", parent.path)
        };
        resource.parent_id = Some(parent.id.clone());
        resource.path_part = Some(part.to_owned());
        if resource.is_greedy() && self.children(&resource.id).next().is_some() {
            return Err(childless(part));
        }
        Ok(())
    }

    fn check_siblings(&self, resource: &Resource, parent: &str, part: &str) -> Result<(), Error> {
        let siblings = || {
            self.children(parent)
                .filter(|sibling| sibling.id != resource.id)
        };
        if siblings().any(|sibling| sibling.path_part.as_deref() == Some(part)) {
            return Err(Error::conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
        match siblings().find(|sibling| sibling.is_variable()) {
            Some(sibling) if part.starts_with('{') => Err(second_variable(
                sibling.path_part.as_deref().unwrap_or_default(),
            )),
            _ => Ok(()),
        }
    }

    /// Moves a resource and gives everything below it its new path. Answers all that changed, parents first.
    pub fn move_to(&mut self, id: &str, parent: &str, part: &str) -> Result<Vec<&Resource>, Error> {
        let mut resource = self.find(id)?.clone();
        self.place(&mut resource, parent, part)?;
        let moved: Vec<String> = self
            .with_descendants(id)
            .into_iter()
            .map(str::to_owned)
            .collect();
        self.replace(resource);
        for below in moved.iter().skip(1) {
            let mut resource = self.find(below)?.clone();
            let parent = self.find(resource.parent_id.as_deref().unwrap_or_default())?;
            resource.path = format!(
                "{}/{}",
                parent.path,
                resource.path_part.as_deref().unwrap_or_default()
            );
            self.replace(resource);
        }
        moved.iter().map(|id| self.find(id)).collect()
    }

    /// The resource's id and those of everything below it, parents first. Empty for an id of no resource.
    pub fn with_descendants(&self, id: &str) -> Vec<&str> {
        let mut found: Vec<&str> = self
            .resources
            .iter()
            .filter(|resource| resource.id == id)
            .map(|resource| resource.id.as_str())
            .collect();
        let mut looked_at = 0;
        while let Some(parent) = found.get(looked_at).copied() {
            found.extend(self.children(parent).map(|child| child.id.as_str()));
            looked_at += 1;
        }
        found
    }

    fn children(&self, id: &str) -> impl Iterator<Item = &Resource> {
        self.resources
            .iter()
            .filter(move |resource| resource.parent_id.as_deref() == Some(id))
    }

    fn find(&self, id: &str) -> Result<&Resource, Error> {
        self.resources
            .iter()
            .find(|resource| resource.id == id)
            .ok_or_else(unknown_resource)
    }

    fn replace(&mut self, changed: Resource) {
        if let Some(resource) = self
            .resources
            .iter_mut()
            .find(|resource| resource.id == changed.id)
        {
            *resource = changed;
        }
    }
}

/// The refusal of what is no path part.
pub(crate) fn bad_part() -> Error {
    Error::bad_request(
        "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
    )
}

/// The refusal of a variable beside another.
pub(crate) fn second_variable(sibling: &str) -> Error {
    Error::bad_request(format!(
        "A sibling ({sibling}) of this resource already has a variable path part -- only one is allowed"
    ))
}

/// The refusal of a resource below a greedy one.
pub(crate) fn childless(greedy: &str) -> Error {
    Error::bad_request(format!(
        "Cannot create a child of a resource with a greedy path variable: {greedy}"
    ))
}

/// A literal, `{name}` or `{name+}`.
pub(crate) fn is_path_part(part: &str) -> bool {
    let is_name = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || b"._-".contains(&byte) || more.contains(&byte)
            })
    };
    match part
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        Some(inner) => is_name(inner.strip_suffix('+').unwrap_or(inner), b""),
        None => is_name(part, b":"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn root() -> Tree {
        Tree::of(vec![Resource {
            id: "root".into(),
            path: "/".into(),
            ..Resource::default()
        }])
    }

    fn add(tree: &mut Tree, id: &str, parent: &str, part: &str) -> Result<(), Error> {
        let mut resource = Resource {
            id: id.into(),
            ..Resource::default()
        };
        tree.place(&mut resource, parent, part)?;
        tree.resources.push(resource);
        Ok(())
    }

    fn path<'a>(tree: &'a Tree, id: &str) -> &'a str {
        &tree.find(id).unwrap().path
    }

    #[test]
    fn path_parts_are_literals_and_variables() {
        for fine in ["pets", "a.b_c-d:e", "{id}", "{proxy+}", "{a.b-c_d}"] {
            assert!(is_path_part(fine), "{fine}");
        }
        for bad in [
            "", "a/b", "a b", "{", "{}", "{+}", "{a", "a}", "x{a}", "{a}x", "{a+b}", "a+", "{a:b}",
            "é", "*",
        ] {
            assert!(!is_path_part(bad), "{bad}");
        }
    }

    #[test]
    fn moving_takes_everything_below_along() {
        let mut tree = root();
        add(&mut tree, "pets", "root", "pets").unwrap();
        add(&mut tree, "pet", "pets", "{petId}").unwrap();
        add(&mut tree, "toys", "pet", "toys").unwrap();
        add(&mut tree, "shop", "root", "shop").unwrap();
        let moved: Vec<_> = tree
            .move_to("pets", "shop", "dogs")
            .unwrap()
            .iter()
            .map(|resource| resource.path.clone())
            .collect();
        assert_eq!(
            moved,
            [
                "/shop/dogs",
                "/shop/dogs/{petId}",
                "/shop/dogs/{petId}/toys"
            ]
        );
        tree.move_to("pets", "root", "dogs").unwrap();
        assert_eq!(path(&tree, "toys"), "/dogs/{petId}/toys");
    }

    #[test]
    fn nothing_moves_below_itself() {
        let mut tree = root();
        add(&mut tree, "a", "root", "a").unwrap();
        add(&mut tree, "b", "a", "b").unwrap();
        add(&mut tree, "c", "b", "c").unwrap();
        for parent in ["a", "b", "c"] {
            let error = tree.move_to("a", parent, "a").unwrap_err();
            assert_eq!(error, Error::bad_request("Resources cannot be cyclical."));
        }
    }

    #[test]
    fn a_resource_with_children_cannot_turn_greedy() {
        let mut tree = root();
        add(&mut tree, "a", "root", "{a}").unwrap();
        add(&mut tree, "b", "a", "b").unwrap();
        assert!(tree.move_to("a", "root", "{a+}").is_err());
        assert_eq!(path(&tree, "b"), "/{a}/b");
    }

    /// A change to the tree: (what, which resource, which parent, which name).
    fn changes() -> impl Strategy<Value = Vec<(u8, usize, usize, &'static str)>> {
        let part = prop::sample::select(vec!["a", "b", "c", "{x}", "{y}", "{z+}"]);
        prop::collection::vec((0..4u8, 0..12usize, 0..12usize, part), 1..40)
    }

    proptest! {
        /// Whatever is created, moved, renamed and deleted: every path is its parent's path and its own part,
        /// no two are equal, nothing stands under a greedy part, and no parent has two variables.
        #[test]
        fn paths_always_follow_from_the_tree(changes in changes()) {
            let mut tree = root();
            for (number, (what, at, under, part)) in changes.into_iter().enumerate() {
                let ids: Vec<String> = tree.resources.iter().map(|resource| resource.id.clone()).collect();
                let (id, parent) = (ids[at % ids.len()].clone(), ids[under % ids.len()].clone());
                match what {
                    0 | 1 => drop(add(&mut tree, &format!("r{number}"), &parent, part)),
                    2 if id != "root" => drop(tree.move_to(&id, &parent, part).map(|moved| moved.len())),
                    3 if id != "root" => {
                        let gone: BTreeSet<String> = tree.with_descendants(&id).into_iter().map(str::to_owned).collect();
                        tree.resources.retain(|resource| !gone.contains(&resource.id));
                    }
                    _ => {}
                }
                check(&tree)?;
            }
        }
    }

    fn check(tree: &Tree) -> Result<(), TestCaseError> {
        let paths: BTreeSet<&str> = tree
            .resources
            .iter()
            .map(|resource| resource.path.as_str())
            .collect();
        prop_assert_eq!(paths.len(), tree.resources.len());
        for resource in tree
            .resources
            .iter()
            .filter(|resource| resource.id != "root")
        {
            let parent = tree.find(resource.parent_id.as_deref().unwrap()).unwrap();
            let part = resource.path_part.as_deref().unwrap();
            prop_assert_eq!(
                &resource.path,
                &format!("{}/{part}", parent.path.trim_end_matches('/'))
            );
            prop_assert!(!parent.is_greedy());
            prop_assert!(
                tree.children(&parent.id)
                    .filter(|child| child.is_variable())
                    .count()
                    <= 1
            );
        }
        Ok(())
    }
}
