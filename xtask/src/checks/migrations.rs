//! Both databases have the same migrations.

use std::collections::BTreeSet;
use std::path::Path;

use super::report;
use crate::project::files_with_extension;

const DATABASES: [&str; 2] = ["postgres", "sqlite"];

/// Checks that every migration stands in both folders under the same name.
///
/// # Errors
/// Names each that does not, and a folder without any.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let mut all = BTreeSet::new();
    let mut found = Vec::new();
    for database in DATABASES {
        let files = files_with_extension(&root.join("migrations").join(database), "sql")?;
        let names: BTreeSet<String> =
            files.iter().filter_map(|path| path.file_name()?.to_str()).map(str::to_owned).collect();
        all.extend(names.clone());
        found.push((database, names));
    }
    let mut problems = Vec::new();
    if all.is_empty() {
        problems.push("migrations/ has none".to_owned());
    }
    for (database, names) in &found {
        for missing in all.difference(names) {
            problems.push(format!("migrations/{database}/{missing} is missing; the other database has it"));
        }
    }
    report(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[&str]) -> Result<(), String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join("migrations").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "select 1;").unwrap();
        }
        run(root.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_same_names_pass() {
        assert_eq!(with(&["postgres/0001_a.sql", "sqlite/0001_a.sql"]), Ok(()));
    }

    #[test]
    fn a_migration_of_one_database_is_missed_in_the_other() {
        let error = with(&["postgres/0001_a.sql", "sqlite/0001_a.sql", "sqlite/0002_b.sql"]).unwrap_err();
        assert_eq!(error, "1 found\n  migrations/postgres/0002_b.sql is missing; the other database has it");
    }

    #[test]
    fn no_migrations_at_all_are_a_mistake() {
        assert!(with(&[]).is_err());
    }
}
