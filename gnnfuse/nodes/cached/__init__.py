"""Features of frozen encoders, kept on disk: nodes are encoded only once."""

from gnnfuse.nodes.cached.cached_encoder import CachedEncoder
from gnnfuse.nodes.cached.cached_nodes import CachedNodes
from gnnfuse.nodes.cached.encoded_nodes import EncodedNodes
from gnnfuse.nodes.cached.errors import CacheError, NotCachedError
from gnnfuse.nodes.cached.feature_folder import FeatureFolder, StoredType
from gnnfuse.nodes.cached.feature_store import FeatureStore
from gnnfuse.nodes.cached.feature_writer import FeatureWriter
from gnnfuse.nodes.cached.key_index import KeyIndex

__all__ = [
    "CacheError",
    "CachedEncoder",
    "CachedNodes",
    "EncodedNodes",
    "FeatureFolder",
    "FeatureStore",
    "FeatureWriter",
    "KeyIndex",
    "NotCachedError",
    "StoredType",
]
