//! A backend in memory for the rows of a Go program, without its server.

use silverback::backend::{
    self, Backend, Created, Expiry, Key, Layout, Memory, Outcome, Record, Revision, Stored,
    async_trait,
};

/// A backend that declares the layout of a Go program's rows.
pub(crate) struct InLayout {
    rows: Memory,
    layout: Layout,
}

impl InLayout {
    pub(crate) fn new(rows: Memory, layout: Layout) -> Self {
        InLayout { rows, layout }
    }
}

#[async_trait]
impl Backend for InLayout {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, backend::Error> {
        self.rows.load(key).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, backend::Error> {
        self.rows.create(key, record).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, backend::Error> {
        self.rows.swap(key, seen, record).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, backend::Error> {
        self.rows.touch(key, seen, until).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, backend::Error> {
        self.rows.remove(key, seen).await
    }

    fn layout(&self) -> Layout {
        self.layout
    }
}
