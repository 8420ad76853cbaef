//! Empty: the package consists of its tests, and its dependencies compile for every target.

use silverback as _;
