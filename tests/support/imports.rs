//! The imports between the files of this crate, as the text of the sources shows them.
//!
//! A file imports another file if it names an item of that file by a path, in a `use` or in place. A
//! path through a re-export counts for the file with the item. A re-export itself is an import only
//! if the file also uses the name. Tests and comments do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a module, from the root of the crate.
type Module = Vec<String>;

/// The first names of a path within the crate.
const PLACES: [&str; 3] = ["crate", "self", "super"];

/// The files of the crate, by module.
pub(crate) struct Crate(BTreeMap<Module, File>);

struct File {
    path: PathBuf,
    uses: Vec<Use>,
    /// All words outside of `use` and `mod` items, each with the path that it is part of.
    words: Vec<Vec<String>>,
}

/// One name that a `use` brings into a file.
struct Use {
    path: Vec<String>,
    name: String,
    is_reexport: bool,
}

impl Crate {
    /// Reads the sources below `source`.
    pub(crate) fn read(source: &Path) -> Self {
        let mut files = BTreeMap::new();
        read_folder(source, source, &mut files);
        Crate(files)
    }

    /// Returns each file of a module, with the files of that module that it imports.
    pub(crate) fn imports_in(&self, name: &str) -> BTreeMap<&Path, Vec<&Path>> {
        let is_inside = |module: &Module| module.first().is_some_and(|first| first == name);
        let files = self.0.iter().filter(|(module, _)| is_inside(module));
        let imports = files.map(|(module, file)| {
            let mut imports: Vec<&Module> = self.imports_of(module, file);
            imports.retain(|other| is_inside(other) && *other != module);
            imports.sort();
            imports.dedup();
            let paths = imports.iter().map(|module| &*self.0[*module].path);
            (&*file.path, paths.collect())
        });
        imports.collect()
    }

    fn imports_of(&self, module: &Module, file: &File) -> Vec<&Module> {
        let is_used = |name: &str| file.words.iter().any(|path| path[0] == name);
        let uses = file.uses.iter();
        let uses = uses.filter(|item| !item.is_reexport || is_used(&item.name));
        let in_uses = uses.filter_map(|item| self.file_of(module, &item.path, 0));
        // A path such as `super::super` alone is a visibility.
        let is_item = |path: &&Vec<String>| path.iter().any(|name| !PLACES.contains(&&**name));
        let paths = file.words.iter().filter(|path| path.len() > 1);
        let paths = paths.filter(is_item);
        let in_place = paths.filter_map(|path| self.file_of(module, path, 0));
        in_uses.chain(in_place).collect()
    }

    /// Returns the module whose file has the item of that path, seen from `module`. Returns `None`
    /// for paths that lead out of the crate.
    fn file_of(&self, module: &Module, path: &[String], hops: usize) -> Option<&Module> {
        let (mut place, mut rest) = match path[0].as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" | "super" => (module.clone(), path),
            child if self.child(module, child).is_some() => (module.clone(), path),
            _ => return None,
        };
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => drop(place.pop()?),
                name => match self.child(&place, name) {
                    Some(child) => place = child,
                    None => {
                        let uses = self.0.get(&place)?.uses.iter();
                        let mut uses = uses.filter(|item| item.name == *name && hops < 5);
                        let through =
                            uses.find_map(|item| self.file_of(&place, &item.path, hops + 1));
                        return through.or(self.0.get_key_value(&place).map(|(module, _)| module));
                    }
                },
            }
            rest = others;
        }
        self.0.get_key_value(&place).map(|(module, _)| module)
    }

    fn child(&self, module: &Module, name: &str) -> Option<Module> {
        let child = [&module[..], &[name.to_owned()]].concat();
        self.0.contains_key(&child).then_some(child)
    }
}

/// Returns the files that import themselves through other files, each with its imports among them.
pub(crate) fn circles<'p>(
    imports: &BTreeMap<&'p Path, Vec<&'p Path>>,
) -> BTreeMap<&'p Path, Vec<&'p Path>> {
    let reaches_itself = |file: &Path| {
        let mut pending = imports[file].clone();
        let mut seen = BTreeSet::new();
        while let Some(next) = pending.pop() {
            if seen.insert(next) {
                pending.extend(&imports[next]);
            }
        }
        seen.contains(file)
    };
    let mut circles = imports.clone();
    circles.retain(|file, _| reaches_itself(file));
    let files: Vec<&Path> = circles.keys().copied().collect();
    for imported in circles.values_mut() {
        imported.retain(|file| files.contains(file));
    }
    circles
}

fn read_folder(source: &Path, folder: &Path, files: &mut BTreeMap<Module, File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(source, &path, files);
            continue;
        }
        let shown = path.strip_prefix(source).unwrap().to_owned();
        let module = module_of(&shown);
        let is_test = module.iter().any(|name| name == "tests");
        if shown.extension().is_some_and(|of| of == "rs") && !is_test {
            let text = fs::read_to_string(&path).unwrap();
            files.insert(module, File::parse(shown, &text));
        }
    }
}

fn module_of(path: &Path) -> Module {
    let path = path.with_extension("");
    let names = path.iter().map(|name| name.to_str().unwrap().to_owned());
    names
        .filter(|name| !["mod", "lib"].contains(&&**name))
        .collect()
}

impl File {
    fn parse(path: PathBuf, text: &str) -> Self {
        let code = without_inline_modules(text);
        let mut uses = Vec::new();
        let mut words = Vec::new();
        // rustfmt begins each item on a new line.
        let mut statements = code.split_inclusive(';');
        for statement in &mut statements {
            match statement
                .find("use ")
                .filter(|start| is_use(&statement[..*start]))
            {
                Some(start) => {
                    let before = &statement[..start];
                    words.extend(words_of(before));
                    let is_reexport = before.trim_end().ends_with(['b', ')']);
                    let tree = statement[start + 4..].trim_end_matches(';');
                    add_uses(&[], tree, is_reexport, &mut uses);
                }
                None => words.extend(words_of(statement)),
            }
        }
        File { path, uses, words }
    }
}

/// Returns whether a `use` after that text is an item, and not a word of other code.
fn is_use(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
    line.is_empty() || (line.starts_with("pub") && line.ends_with(' ') && !line.contains('='))
}

/// Removes comments, and the modules inside of a file, such as its tests.
fn without_inline_modules(text: &str) -> String {
    let mut is_inside = false;
    let lines = text.lines().filter(|line| {
        let is_module = line.starts_with("mod ") || line.starts_with("pub mod ");
        is_inside |= is_module && line.ends_with('{');
        let is_outside = !is_inside && !line.trim_start().starts_with("//");
        is_inside &= *line != "}";
        is_outside && !(is_module && line.ends_with(';'))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn words_of(code: &str) -> impl Iterator<Item = Vec<String>> {
    let in_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = code.split(move |letter| !in_path(letter));
    let paths = words.map(|word| word.split("::").map(str::to_owned).collect());
    paths.filter(|path: &Vec<String>| !path[0].is_empty())
}

/// Adds each name of a tree such as `super::{Error, key::{self, Key}}`.
fn add_uses(before: &[String], tree: &str, is_reexport: bool, uses: &mut Vec<Use>) {
    let (path, branches) = match tree.split_once('{') {
        Some((path, branches)) => (path, branches.trim_end().strip_suffix('}')),
        None => (tree, None),
    };
    let (path, alias) = match path.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim())),
        None => (path, None),
    };
    let names = path
        .split("::")
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let mut path = [before, &names.map(str::to_owned).collect::<Vec<_>>()].concat();
    match branches {
        Some(branches) => {
            let mut depth = 0_usize;
            let at_comma = branches.split(move |letter| {
                depth += usize::from(letter == '{');
                depth -= usize::from(letter == '}');
                letter == ',' && depth == 0
            });
            for branch in at_comma.filter(|branch| !branch.trim().is_empty()) {
                add_uses(&path, branch, is_reexport, uses);
            }
        }
        None => {
            path.truncate(
                path.len() - usize::from(path.len() > 1 && path.ends_with(&["self".to_owned()])),
            );
            let name = alias
                .or(path.last().map(String::as_str))
                .unwrap_or_default()
                .to_owned();
            uses.push(Use {
                path,
                name,
                is_reexport,
            });
        }
    }
}
