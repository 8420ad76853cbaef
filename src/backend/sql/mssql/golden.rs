//! The text of each statement, compared with `golden.sql`, and the tables, compared with those of the
//! Go packages. No SQL Server runs in the tests: each change of a text must be reviewed.

use std::fmt::Write;

use serde_json::Value;

use super::super::go_table::{Database, GoTable};
use super::super::statements::{Statement, Statements};
use super::go_statements::{create_if_missing, create_table, statements};
use super::statements::STATEMENTS;

fn named(all: &Statements) -> Vec<(&'static str, &Statement)> {
    let mut named = vec![
        ("load", &all.load),
        ("load_many", &all.load_many),
        ("find", &all.find),
        ("create", &all.create),
        ("swap", &all.swap),
        ("touch", &all.touch),
        ("remove", &all.remove),
        ("page", &all.page),
        ("purge", &all.purge),
    ];
    let optional = [
        ("create_owned", &all.create_owned),
        ("swap_owned", &all.swap_owned),
        ("move_to", &all.move_to),
    ];
    named.extend(
        optional
            .iter()
            .filter_map(|(name, of)| Some((*name, of.as_ref()?))),
    );
    if let Some(owners) = &all.owners {
        named.extend([
            ("owners.generation", &owners.generation),
            ("owners.begin", &owners.begin),
            ("owners.revoke", &owners.revoke),
            ("owners.keys", &owners.keys),
            ("owners.purge", &owners.purge),
        ]);
    }
    assert_eq!(named.len(), all.all().count(), "a statement has no name");
    named
}

fn tables() -> [(&'static str, &'static Statements); 3] {
    let statements = |table: GoTable| &*Box::leak(Box::new(statements(&table)));
    [
        ("native", &STATEMENTS),
        ("scs_mssqlstore", statements(GoTable::scs_mssqlstore())),
        (
            "gorm",
            statements(gormstore().in_schema("web").named("odd]'name")),
        ),
    ]
}

/// Returns a text with a line for each statement of a batch.
fn lines(text: &str) -> String {
    text.replace("; ", ";\n")
}

fn rendered() -> String {
    let mut text = String::new();
    for (table, all) in tables() {
        for (name, statement) in named(all) {
            let sql = lines(statement.sql.as_str());
            writeln!(text, "-- {table} {name}: {:?}\n{sql};\n", statement.binds).unwrap();
        }
    }
    for (name, table) in [
        ("scs_mssqlstore", GoTable::scs_mssqlstore()),
        ("gorm", gormstore().in_schema("web").named("odd]'name")),
    ] {
        let sql = lines(&create_if_missing(&table));
        writeln!(text, "-- {name} create_if_missing\n{sql}\n").unwrap();
    }
    text
}

/// To accept a reviewed change, run the test with `SILVERBACK_ACCEPT_GOLDEN=1`.
fn gormstore() -> GoTable {
    let table = GoTable::scs_gormstore().in_database(Database::Mssql);
    table.unwrap()
}

#[test]
fn each_statement_has_the_reviewed_text() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/backend/sql/mssql/golden.sql"
    );
    if std::env::var_os("SILVERBACK_ACCEPT_GOLDEN").is_some() {
        std::fs::write(path, rendered()).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap();
    for (written, reviewed) in rendered().lines().zip(reviewed.lines()) {
        assert_eq!(written, reviewed);
    }
    assert_eq!(rendered(), reviewed);
}

#[test]
fn each_statement_uses_the_parameters_that_are_bound() {
    for (table, all) in tables() {
        for (name, statement) in named(all) {
            let text = statement.sql.as_str();
            let numbers = text.split("@P").skip(1).map(|after| {
                let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
                digits.parse::<usize>().unwrap()
            });
            let used: std::collections::BTreeSet<usize> = numbers.collect();
            let bound = (1..=statement.binds.len()).collect();
            assert_eq!(used, bound, "{table} {name}");
        }
    }
}

/// An answer is one set of rows: no count is sent, and exactly one statement of the batch returns
/// rows.
#[test]
fn each_batch_returns_one_set_of_rows() {
    for (table, all) in tables() {
        for (name, statement) in named(all) {
            let text = statement.sql.as_str();
            assert!(text.starts_with("SET NOCOUNT ON; "), "{table} {name}");
            let selects = text.split("; ").filter(|part| part.starts_with("SELECT "));
            assert_eq!(selects.count(), 1, "{table} {name}");
            let transactions = ["BEGIN TRANSACTION;", "COMMIT TRANSACTION;"];
            let [begun, committed] = transactions.map(|of| text.matches(of).count());
            assert_eq!(begun, committed, "{table} {name}");
            assert!(
                begun == 0 || text.contains("SET XACT_ABORT ON;"),
                "{table} {name}"
            );
        }
    }
}

/// SQL Server ignores zeros at the end of bytes, and spaces at the end of texts.
#[test]
fn each_comparison_of_a_key_compares_its_length() {
    for (table, all) in tables() {
        for (name, statement) in named(all) {
            let text = statement.sql.as_str();
            for compared in [
                "s.[key] = @P1",
                "o.name = @P1",
                "s.owner = @P1",
                "AS VARBINARY(8000)) = @P1",
            ] {
                let places = text.matches(compared).count();
                let lengths = text.matches("= DATALENGTH(@P1)").count();
                assert!(places <= lengths, "{table} {name} {compared}");
            }
        }
    }
}

/// Returns a table's columns in lower case without quotes, and its indexes.
fn picture(ddl: &str) -> (Vec<String>, Vec<String>) {
    let ddl = ddl.to_ascii_lowercase().replace(['"', '[', ']'], "");
    let ddl = ddl.replace("datetimeoffset(7)", "datetimeoffset");
    let (mut columns, mut indexes) = (Vec::new(), Vec::new());
    for statement in ddl.split("; ") {
        if statement.starts_with("create index") {
            indexes.push(statement.replace(' ', ""));
            continue;
        }
        let (_, definitions) = statement.split_once('(').unwrap();
        let definitions = definitions.strip_suffix(')').unwrap();
        let (definitions, key) = match definitions.split_once(",primary key (") {
            Some((definitions, key)) => (definitions, key.strip_suffix(')')),
            None => (definitions, None),
        };
        columns.extend(definitions.split(',').map(|column| {
            let column = column.trim();
            match key.is_some_and(|key| column.starts_with(&format!("{key} "))) {
                true => format!("{column} primary key"),
                false => column.to_owned(),
            }
        }));
    }
    (columns, indexes)
}

#[test]
fn new_tables_equal_those_of_the_go_packages() {
    let golden = include_str!("../../../../tests/vectors/mssql_golden_sql.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    for (package, table) in [
        ("scs-mssqlstore", GoTable::scs_mssqlstore()),
        ("scs-gormstore-sqlserver", gormstore()),
    ] {
        let ddl = golden[package]["ddl"].as_array().unwrap();
        let ddl: Vec<&str> = ddl.iter().map(|of| of.as_str().unwrap()).collect();
        let wanted = picture(&ddl.join("; "));
        assert_eq!(wanted.0.len(), 3);
        assert_eq!(picture(&create_table(&table)), wanted, "{package}");
    }
}

/// The columns and types in the statements that Go sends.
#[test]
fn go_compares_the_same_columns() {
    let golden = include_str!("../../../../tests/vectors/mssql_golden_sql.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let go = golden["scs-mssqlstore"]["find"].as_str().unwrap();
    assert!(go.contains("token = @p1") && go.contains("GETUTCDATE() < expiry"));
    let ours = statements(&GoTable::scs_mssqlstore());
    let load = ours.load.sql.as_str();
    assert!(
        load.contains("@now DATETIME2(6) = SYSUTCDATETIME()"),
        "{load}"
    );
    assert!(load.contains("t.[token] = CAST(@P1 AS CHAR(43))"), "{load}");
    assert!(load.contains("t.[expiry] > @now"), "{load}");
    let ours = statements(&gormstore());
    let load = ours.load.sql.as_str();
    assert!(
        load.contains("@now DATETIMEOFFSET(7) = SYSUTCDATETIME()"),
        "{load}"
    );
    assert!(
        load.contains("t.[token] = CAST(@P1 AS VARCHAR(43))"),
        "{load}"
    );
}
