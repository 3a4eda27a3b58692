//! In which order entries come: an import writes rows as it reads them, and stops at the first module, so that what
//! stands elsewhere would be counted and not written.

use wasmcloud_wire::Digest;

use crate::store::{TABLES, Table};

/// What came last.
#[derive(Default)]
pub struct Order {
    /// The place of a table in [`TABLES`], and the number of its part.
    part: Option<(usize, u64)>,
    module: Option<Digest>,
}

impl Order {
    /// A part of a table, which comes after those of the tables before it and is one more than the last of its own;
    /// else why it does not belong there.
    pub fn part(&mut self, table: &Table, part: u64) -> Result<(), String> {
        let place = TABLES.iter().position(|known| known.name == table.name);
        let place = place.ok_or_else(|| format!("{} is no table", table.name))?;
        let follows = match self.part {
            _ if self.module.is_some() => false,
            Some((last, number)) if last == place => number.checked_add(1) == Some(part),
            Some((last, _)) => last < place && part == 0,
            None => part == 0,
        };
        self.part = Some((place, part));
        match follows {
            true => Ok(()),
            false => Err(format!("`tables/{}/{part}` stands where no export has it", table.name)),
        }
    }

    /// A module, which comes after all tables and after those whose digests are smaller; else why it does not belong
    /// there.
    pub fn module(&mut self, digest: &Digest) -> Result<(), String> {
        let follows = self.module.is_none_or(|last| last.as_bytes() < digest.as_bytes());
        self.module = Some(*digest);
        match follows {
            true => Ok(()),
            false => Err(format!("`modules/{digest}` stands where no export has it")),
        }
    }
}
