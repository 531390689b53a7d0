//! Configuration that changes while the gateway is killed: what was acknowledged is there after the restart, and a key
//! whose disabling was acknowledged stays shut.

use std::time::Instant;

use serde_json::{Value, json};

use crate::api::Key;
use crate::control::Control;
use crate::harness::Dice;

/// Something with a value that is changed over and over.
pub struct Setting {
    /// Where it is read and patched.
    path: String,
    member: &'static str,
    /// The values it takes in turn.
    values: fn(u64) -> String,
    acknowledged: Option<String>,
    /// Sent, and the answer never came.
    unknown: Option<String>,
    turn: u64,
}

impl Setting {
    pub fn new(path: String, member: &'static str, values: fn(u64) -> String) -> Setting {
        Setting {
            path,
            member,
            values,
            acknowledged: None,
            unknown: None,
            turn: 0,
        }
    }

    /// Sets the next value; false when the gateway is gone.
    fn change(&mut self, control: &Control) -> bool {
        self.turn += 1;
        let value = (self.values)(self.turn);
        let body = json!({ "patchOperations": [{ "op": "replace", "path": self.member, "value": value }] });
        let sent = control.try_send("PATCH", &self.path, body.to_string().as_bytes());
        match sent {
            Ok(reply) => {
                reply.ok_status(200);
                self.acknowledged = Some(value);
                true
            }
            Err(_) => {
                self.unknown = Some(value);
                false
            }
        }
    }

    /// After a restart: the acknowledged value stands, or the one whose answer never came.
    fn check(&mut self, control: &Control) {
        let seen = control.get(&self.path).ok(200);
        let seen = match seen.pointer(self.member) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(), // never set
        };
        let unknown = self.unknown.take();
        let allowed = [self.acknowledged.as_ref(), unknown.as_ref()];
        assert!(
            self.acknowledged.is_none() || allowed.contains(&Some(&seen)),
            "{} {} is {seen:?}, but {:?} was acknowledged ({unknown:?} was on the way)",
            self.path,
            self.member,
            self.acknowledged
        );
        self.acknowledged = Some(seen);
    }
}

/// A key that is disabled and enabled again, with the times at which it must have been shut.
pub struct Door {
    pub key: Key,
    /// From the acknowledgement of a disabling to the moment the next enabling was sent.
    pub shut: Vec<(Instant, Instant)>,
    shut_since: Option<Instant>,
}

impl Door {
    pub fn new(key: Key) -> Door {
        Door {
            key,
            shut: Vec::new(),
            shut_since: None,
        }
    }

    fn path(&self) -> String {
        format!("/apikeys/{}", self.key.id)
    }

    /// Disables the open or enables the shut key; false when the gateway is gone.
    fn change(&mut self, control: &Control) -> bool {
        let opens = self.shut_since.is_some();
        self.over();
        let body = json!({ "patchOperations": [{ "op": "replace", "path": "/enabled", "value": opens.to_string() }] });
        match control.try_send("PATCH", &self.path(), body.to_string().as_bytes()) {
            Ok(reply) => {
                reply.ok_status(200);
                self.shut_since = (!opens).then(Instant::now);
                true
            }
            Err(_) => false,
        }
    }

    /// After a restart: shut still, or whatever became of the change that was on the way.
    fn check(&mut self, control: &Control) {
        let enabled = control.get(&self.path()).ok(200)["enabled"] == json!(true);
        if let Some(since) = self.shut_since {
            assert!(!enabled, "a key opened by itself, shut since {since:?}");
        } else if !enabled {
            self.shut_since = Some(Instant::now());
        }
    }

    /// Ends the interval in which the key must be shut, if one is open.
    pub fn over(&mut self) {
        let now = Instant::now();
        self.shut
            .extend(self.shut_since.take().map(|since| (since, now)));
    }
}

/// Everything that changes while the gateway is killed.
pub struct Changes {
    pub settings: Vec<Setting>,
    pub door: Door,
    /// The path deployments of the API are made at.
    pub deployments: String,
    pub acknowledged: usize,
}

impl Changes {
    /// Changes one thing after another until the gateway is gone.
    pub fn until_it_breaks(&mut self, control: &Control, dice: &mut Dice) {
        let kinds = self.settings.len() as u64 + 1;
        loop {
            let good = match dice.between(0, kinds) as usize {
                0 => self.deploy(control),
                1 => self.door.change(control),
                n => self.settings[n - 2].change(control),
            };
            if !good {
                return;
            }
            self.acknowledged += 1;
        }
    }

    fn deploy(&self, control: &Control) -> bool {
        let sent = control.try_send("POST", &self.deployments, br#"{"stageName":"prod"}"#);
        sent.map(|reply| reply.ok_status(201)).is_ok()
    }

    pub fn check(&mut self, control: &Control) {
        for setting in &mut self.settings {
            setting.check(control);
        }
        self.door.check(control);
    }
}
