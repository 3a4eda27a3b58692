//! Steps of a task: each says its name, and how long it took.

use std::time::Instant;

/// Says that a step begins.
pub fn begin(name: &str) {
    eprintln!("\n==> {name}");
}

/// Runs a step; an error of it carries the step's name.
pub fn step(name: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    begin(name);
    let started = Instant::now();
    work().map_err(|error| error.context(format!("step `{name}` failed")))?;
    eprintln!("    {name}: ok in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_before_its_cause() {
        let error = step("guests", || anyhow::bail!("no compiler")).unwrap_err();
        assert_eq!(format!("{error:#}"), "step `guests` failed: no compiler");
    }
}
