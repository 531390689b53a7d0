//! What one evaluation of a template may cost.

use std::time::{Duration, Instant};

/// The limits of one evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Turns of one `#foreach`, as on AWS.
    pub loop_turns_max: usize,
    /// Steps: each directive, reference, operator and method is one, and so are 64 bytes that one of
    /// them handles.
    pub steps_max: u64,
    /// Bytes of all the values that it makes.
    pub value_bytes_max: usize,
    /// Bytes of its output, and of any one text.
    pub output_bytes_max: usize,
    /// How deep values may nest that are printed, and expressions and blocks that are in each other.
    pub depth_max: usize,
    /// For all of it.
    pub time_max: Duration,
}

/// What holds for every template (docs/mapping.md).
pub const LIMITS: Limits = Limits {
    loop_turns_max: 1_000,
    steps_max: 4_000_000,
    value_bytes_max: 64 * 1024 * 1024,
    output_bytes_max: 10 * 1024 * 1024,
    depth_max: 256,
    time_max: Duration::from_secs(1),
};

/// How often the clock is read.
const STEPS_PER_LOOK: u64 = 4096;

/// Why a template gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("a #foreach has more than {} turns", LIMITS.loop_turns_max)]
    Loop,
    #[error("it takes more than {} steps", LIMITS.steps_max)]
    Steps,
    #[error("its values take more than {} bytes", LIMITS.value_bytes_max)]
    Values,
    #[error("it makes a text of more than {} bytes", LIMITS.output_bytes_max)]
    Output,
    #[error("its values, or its blocks in each other, nest deeper than {}", LIMITS.depth_max)]
    Depth,
    #[error("it takes longer than {} ms", LIMITS.time_max.as_millis())]
    Time,
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A method that fails in Java, too.
    #[error("{0}")]
    Failed(String),
    /// The body that it reads is not the JSON that it begins as.
    #[error("the body is not JSON: {0}")]
    Body(String),
}

/// What is left of the limits.
#[derive(Debug)]
pub struct Budget {
    steps_left: u64,
    next_look: u64,
    value_bytes_left: usize,
    ends: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            steps_left: LIMITS.steps_max,
            next_look: LIMITS.steps_max - STEPS_PER_LOOK,
            value_bytes_left: LIMITS.value_bytes_max,
            ends: None,
        }
    }
}

impl Budget {
    /// Begins a template: all steps and the whole time again, for values only what earlier ones left.
    pub fn begin(&mut self) {
        *self = Budget {
            value_bytes_left: self.value_bytes_left,
            ..Budget::default()
        };
    }

    pub fn step(&mut self) -> Result<(), RenderError> {
        self.steps(1)
    }

    /// The steps of handling so many bytes.
    pub fn handle(&mut self, bytes: usize) -> Result<(), RenderError> {
        self.steps(1 + bytes as u64 / 64)
    }

    fn steps(&mut self, steps: u64) -> Result<(), RenderError> {
        let left = self.steps_left.checked_sub(steps);
        self.steps_left = left.ok_or(RenderError::Steps)?;
        if self.steps_left > self.next_look {
            return Ok(());
        }
        self.next_look = self.steps_left.saturating_sub(STEPS_PER_LOOK);
        let now = Instant::now();
        let ends = *self.ends.get_or_insert(now + LIMITS.time_max);
        match now > ends {
            true => Err(RenderError::Time),
            false => Ok(()),
        }
    }

    /// A value of so many bytes is made.
    pub fn keep(&mut self, bytes: usize) -> Result<(), RenderError> {
        let left = self.value_bytes_left.checked_sub(bytes);
        self.value_bytes_left = left.ok_or(RenderError::Values)?;
        Ok(())
    }
}
