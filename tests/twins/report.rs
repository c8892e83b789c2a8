//! The numbers of a run, for people and for the verdict: what was compared, how often each rule fired,
//! and what the oracle counted.

use std::fmt;
use std::path::Path;

use super::oracle::Tally;
use super::pair::SIDES;
use super::play::Verdict;
use super::rules::{Fired, RULES};

/// The sum of many histories.
#[derive(Debug, Default)]
pub struct Report {
    pub histories: usize,
    pub changes: usize,
    pub compared: usize,
    pub fired: Fired,
    pub tallies: [Tally; 2],
    /// A program that deletes a slice before it makes the new one.
    pub control: Tally,
    /// Seeds with a difference that no rule explains.
    pub differences: Vec<u64>,
}

impl Report {
    pub fn add(&mut self, seed: u64, changes: usize, verdict: &Verdict) {
        self.histories += 1;
        self.changes += changes;
        self.compared += verdict.compared;
        for (rule, count) in &verdict.fired {
            *self.fired.entry(rule).or_default() += count;
        }
        for (sum, tally) in self.tallies.iter_mut().zip(&verdict.tallies) {
            sum.add(tally);
        }
        if verdict.difference.is_some() {
            self.differences.push(seed);
        }
    }

    /// Rules that were never needed.
    pub fn idle(&self) -> Vec<&'static str> {
        RULES.iter().map(|rule| rule.name).filter(|name| !self.fired.contains_key(name)).collect()
    }

    /// Writes what is known so far where an interrupted run leaves it.
    pub fn keep(&self) {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twins-report.txt");
        std::fs::write(file, self.to_string()).expect("write the report");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "twins: {} histories, {} changes, {} Services compared, {} unexplained differences {:?}",
            self.histories,
            self.changes,
            self.compared,
            self.differences.len(),
            self.differences
        )?;
        writeln!(f, "differences that are meant:")?;
        for rule in &RULES {
            let count = self.fired.get(rule.name).copied().unwrap_or(0);
            writeln!(f, "  {count:6}  {:28} {}", rule.name, rule.reason)?;
        }
        writeln!(
            f,
            "oracle (live addresses with a port name, summed over steps; lost = came to be in no slice):"
        )?;
        writeln!(f, "  {:26} {:>8} {:>9} {:>6}", "", "events", "promised", "lost")?;
        let [ours, peer] = &self.tallies;
        for (name, tally) in [(SIDES[0], ours), (SIDES[1], peer), ("delete before create", &self.control)] {
            writeln!(f, "  {name:26} {:8} {:9} {:6}", tally.events, tally.promised, tally.lost)?;
        }
        Ok(())
    }
}
