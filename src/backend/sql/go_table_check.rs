//! The check of the columns of an existing table of a Go package.
//!
//! A table that people created may have other types than the Go package's. The statements are
//! generated for the types of the table. A type that cannot work, or would give wrong results
//! without an error, is refused before the table is used.

use std::collections::HashMap;

use super::columns::{missing_column, wrong_column};
use super::go_columns::{Column, ColumnType};
use super::go_table::{Database, GoTable};
use crate::backend::Error;

/// A column of bytes must hold values of this length.
const SMALLEST_VALUE: u32 = 4_096;

/// A column as the database describes it.
pub(super) struct FoundColumn {
    /// `None` for a type that no Go package uses.
    pub(super) kind: Option<ColumnType>,
    /// The type as people write it.
    pub(super) shown: String,
    pub(super) is_generated: bool,
    /// An insert that leaves it out fails.
    pub(super) is_demanded: bool,
    /// Different texts never count as equal.
    pub(super) is_exact: bool,
    pub(super) is_unique: bool,
}

/// The columns of an existing table by their names.
pub(super) type FoundColumns = HashMap<String, FoundColumn>;

impl GoTable {
    /// Checks the columns of the existing table, and returns the table with their types.
    /// `type_name` is the server's name for a type.
    ///
    /// # Errors
    /// Returns a usage error for a column that cannot be used.
    pub(super) fn with_found_types(
        &self,
        columns: &FoundColumns,
        type_name: fn(ColumnType) -> String,
    ) -> Result<GoTable, Error> {
        let check = Check {
            table: self,
            columns,
            type_name,
        };
        let mut found = self.clone();
        (found.key.kind, found.key_is_unique) = check.key()?;
        found.value.kind = check.value()?;
        self.times().try_for_each(|time| check.time(time))?;
        check.check_other_columns()?;
        Ok(found)
    }
}

/// A check of the columns of a table.
struct Check<'c> {
    table: &'c GoTable,
    columns: &'c FoundColumns,
    type_name: fn(ColumnType) -> String,
}

impl Check<'_> {
    /// Returns the type of the key, and whether the table refuses a second row with the same key.
    fn key(&self) -> Result<(ColumnType, bool), Error> {
        let column = &self.table.key;
        let longest = self.table.longest_key();
        // The statements for SQL Server have keys of text only.
        let takes_bytes = self.table.database != Database::Mssql;
        let wanted = match takes_bytes {
            true => self.bytes_or_text(longest),
            false => format!("{} or longer", self.name_of(ColumnType::Varchar(longest))),
        };
        let found = self.find(column, &wanted)?;
        let holds = |most: u32| found.is_exact && most >= longest;
        match found.kind {
            Some(kind @ ColumnType::Bytes) if takes_bytes => Ok((kind, found.is_unique)),
            Some(kind @ ColumnType::BytesUpTo(most)) if takes_bytes && most >= longest => {
                Ok((kind, found.is_unique))
            }
            Some(kind) if kind.characters().is_some_and(holds) => Ok((kind, found.is_unique)),
            _ if found.is_exact => Err(self.wrong_type(column, &found.shown, &wanted)),
            _ => {
                let shown = format!(
                    "{}, with a collation that treats different texts as equal",
                    found.shown
                );
                Err(self.wrong_type(column, &shown, &wanted))
            }
        }
    }

    fn value(&self) -> Result<ColumnType, Error> {
        let column = &self.table.value;
        let longest = self.table.longest_text();
        let wanted = match longest {
            Some(longest) => self.bytes_or_text(longest),
            None => self.name_of(ColumnType::Bytes),
        };
        let found = self.find(column, &wanted)?;
        let holds = |most: u32| longest.is_some_and(|longest| most >= longest);
        match found.kind {
            Some(kind @ ColumnType::Bytes) => Ok(kind),
            Some(kind @ ColumnType::BytesUpTo(most)) if most >= SMALLEST_VALUE => Ok(kind),
            Some(kind @ ColumnType::Text) if longest.is_some() => Ok(kind),
            Some(kind @ ColumnType::Varchar(most)) if holds(most) => Ok(kind),
            _ => Err(self.wrong_type(column, &found.shown, &wanted)),
        }
    }

    /// Checks that a time has the type of the Go package.
    fn time(&self, column: &Column) -> Result<(), Error> {
        let wanted = self.name_of(column.kind);
        let found = self.find(column, &wanted)?;
        match found.kind == Some(column.kind) {
            true => Ok(()),
            false => Err(self.wrong_type(column, &found.shown, &wanted)),
        }
    }

    /// Refuses an additional column that every row must fill.
    fn check_other_columns(&self) -> Result<(), Error> {
        let GoTable { key, value, .. } = self.table;
        let ours: Vec<&String> = self
            .table
            .times()
            .chain([key, value])
            .map(|column| &column.name)
            .collect();
        let mut others = self.columns.iter().filter(|(name, _)| !ours.contains(name));
        match others.find(|(_, found)| found.is_demanded && !found.is_generated) {
            Some((column, _)) => Err(Error::usage(format!(
                "the column {column:?} of the table {:?} is NOT NULL without a default: \
                 give it one, since sessions do not fill it",
                self.table.name
            ))),
            None => Ok(()),
        }
    }

    fn find(&self, column: &Column, wanted: &str) -> Result<&FoundColumn, Error> {
        let name = &column.name;
        let missing = || missing_column(&self.table.name, name, wanted);
        let found = self.columns.get(name).ok_or_else(missing)?;
        match found.is_generated {
            false => Ok(found),
            true => {
                let shown = format!("{}, generated", found.shown);
                Err(self.wrong_type(column, &shown, wanted))
            }
        }
    }

    fn wrong_type(&self, column: &Column, shown: &str, wanted: &str) -> Error {
        wrong_column(&self.table.name, &column.name, shown, wanted)
    }

    /// Returns the server's name of a type, as people write it.
    fn name_of(&self, kind: ColumnType) -> String {
        (self.type_name)(kind).to_ascii_lowercase()
    }

    fn bytes_or_text(&self, longest: u32) -> String {
        let [bytes, text, varchar] = [
            ColumnType::Bytes,
            ColumnType::Text,
            ColumnType::Varchar(longest),
        ]
        .map(|kind| self.name_of(kind));
        format!("{bytes}, {text}, or {varchar} or longer")
    }
}
