// Graphs: operations with the order between them, run as one operation of a stream.
#pragma once
#include "stream.h"

namespace [[gnu::visibility("hidden")]] cudasim {

struct GraphNode {
    std::shared_ptr<Work> work;
    Device *device = nullptr;
    std::vector<size_t> after; // indices of earlier nodes
};

struct Graph {
    std::vector<GraphNode> nodes;
    std::vector<CUgraphNode> handles; // of the nodes, made when they are asked for
};

struct GraphExec {
    std::vector<GraphNode> nodes;
    Device *device = nullptr; // of the stream where it was captured
    Point last_launch;        // one launch of it runs at a time
};

} // namespace cudasim
