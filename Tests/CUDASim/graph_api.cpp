// Stream capture and graphs.
#include "call.h"
#include "capture.h"
#include <algorithm>
#include <cstring>

using namespace cudasim;

namespace {

// A launch of a graph: one operation of its stream; nodes run in an order that their edges allow.
class GraphLaunch final : public Work {
  public:
    explicit GraphLaunch(const std::vector<GraphNode> &of) {
        for (const GraphNode &node : of) nodes.push_back({node.work->fresh(), node.device, node.after});
    }

    const char *kind() const override { return "graph"; }
    std::string describe() const override { return text("graph of %zu nodes", nodes.size()); }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<GraphLaunch>(nodes); }

    void submitted(const Clock &clock, uint32_t stream, uint64_t number) override {
        for (GraphNode &node : nodes) node.work->submitted(clock, stream, number);
    }

    void run(Execution &execution) override {
        std::vector<bool> done(nodes.size());
        for (size_t count = 0; count < nodes.size(); ++count) {
            size_t index = next(done);
            GraphNode &node = nodes[index];
            Execution inner = {*node.device,    execution.stream,   execution.number,
                               execution.clock, execution.schedule, execution.lock};
            perform(*node.work, meet(*node.work, *node.device), inner);
            done[index] = true;
        }
    }

    void abandoned(uint32_t stream, uint64_t number) override {
        for (GraphNode &node : nodes) node.work->abandoned(stream, number);
    }

  private:
    std::vector<GraphNode> nodes;

    size_t next(const std::vector<bool> &done) const {
        std::vector<size_t> ready;
        for (size_t i = 0; i < nodes.size(); ++i) {
            bool can = !done[i] && std::all_of(
                                       nodes[i].after.begin(), nodes[i].after.end(),
                                       [&](size_t before) { return done[before]; });
            if (can) ready.push_back(i);
        }
        Scheduler &scheduler = simulator().scheduler;
        return ready[scheduler.deterministic ? scheduler.random((unsigned)ready.size()) : 0];
    }
};

CUgraphNodeType node_type(const Work &work) {
    std::string kind = work.kind();
    if (kind == "kernel") return CU_GRAPH_NODE_TYPE_KERNEL;
    if (kind == "memset") return CU_GRAPH_NODE_TYPE_MEMSET;
    return kind == "host" ? CU_GRAPH_NODE_TYPE_HOST : CU_GRAPH_NODE_TYPE_MEMCPY;
}

void make_node_handles(Call &call, Graph &graph) {
    for (size_t i = graph.handles.size(); i < graph.nodes.size(); ++i) {
        auto type = std::make_shared<size_t>((size_t)node_type(*graph.nodes[i].work));
        graph.handles.push_back(call.sim.graph_nodes.add(type));
    }
}

CUgraphExecUpdateResult compare(const GraphExec &executable, const Graph &graph, size_t *where) {
    *where = 0;
    if (executable.nodes.size() != graph.nodes.size()) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        const GraphNode &before = executable.nodes[i], &now = graph.nodes[i];
        *where = i;
        if (before.after != now.after || before.device != now.device) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
        if (strcmp(before.work->kind(), now.work->kind()) != 0) return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
        if (!now.work->replaces(*before.work)) return CU_GRAPH_EXEC_UPDATE_ERROR_FUNCTION_CHANGED;
    }
    return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

} // namespace

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) {
    return driver_call("cuStreamBeginCapture_v2", [&](Call &call) {
        std::shared_ptr<Stream> found = call.in(stream);
        if (found->is_null) fail(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the legacy default stream cannot capture");
        if (found->capture) fail(CUDA_ERROR_ILLEGAL_STATE, "the stream is capturing already");
        if (mode < CU_STREAM_CAPTURE_MODE_GLOBAL || mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
            fail(CUDA_ERROR_INVALID_VALUE, "capture mode %d", (int)mode);
        }
        auto capture = std::make_shared<Capture>();
        capture->origin = found;
        capture->mode = mode;
        capture->thread = std::this_thread::get_id();
        found->capture = capture;
        found->frontier.clear();
    });
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
    return driver_call("cuStreamEndCapture", [&](Call &call) {
        need(graph, "graph");
        *graph = nullptr;
        std::shared_ptr<Stream> found = call.in(stream);
        *graph = call.sim.graphs.add(finish_capture(found));
    });
}

CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status) {
    return driver_call("cuStreamIsCapturing", [&](Call &call) {
        need(status, "status");
        std::shared_ptr<Stream> found = call.in(stream);
        *status = !found->capture            ? CU_STREAM_CAPTURE_STATUS_NONE
                  : found->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                            : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    });
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode) {
    return driver_call("cuThreadExchangeStreamCaptureMode", [&](Call &call) {
        need(mode, "mode");
        call.nowhere();
        *mode = exchange_thread_mode(*mode);
    });
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long) {
    return driver_call("cuGraphInstantiateWithFlags", [&](Call &call) {
        need(executable, "executable");
        Device &device = call.here();
        auto made = std::make_shared<GraphExec>();
        made->nodes = call.sim.graphs.get(graph)->nodes;
        made->device = &device;
        *executable = call.sim.graph_execs.add(made);
    });
}

CUresult cuGraphExecUpdate_v2(CUgraphExec executable, CUgraph graph, CUgraphExecUpdateResultInfo *result) {
    return driver_call("cuGraphExecUpdate_v2", [&](Call &call) {
        need(result, "result");
        call.here();
        std::shared_ptr<GraphExec> found = call.sim.graph_execs.get(executable);
        std::shared_ptr<Graph> with = call.sim.graphs.get(graph);
        size_t where;
        *result = {compare(*found, *with, &where), nullptr, nullptr};
        if (result->result == CU_GRAPH_EXEC_UPDATE_SUCCESS) {
            found->nodes = with->nodes;
            return;
        }
        make_node_handles(call, *with);
        if (where < with->handles.size()) result->errorNode = with->handles[where];
        fail(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "node %zu differs (reason %d)", where, (int)result->result);
    });
}

CUresult cuGraphUpload(CUgraphExec executable, CUstream stream) {
    return driver_call("cuGraphUpload", [&](Call &call) {
        call.in(stream);
        call.sim.graph_execs.get(executable);
    });
}

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
    return driver_call("cuGraphLaunch", [&](Call &call) {
        std::shared_ptr<Stream> found = call.in(stream);
        std::shared_ptr<GraphExec> launched = call.sim.graph_execs.get(executable);
        if (found->capture) {
            invalidate(*found->capture, CUDA_ERROR_NOT_SUPPORTED, "a graph inside a graph is not simulated");
        }
        Point after = launched->last_launch;
        submit(found, std::make_shared<GraphLaunch>(launched->nodes), call.lock, after);
        launched->last_launch = found->here();
    });
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
    return driver_call("cuGraphGetNodes", [&](Call &call) {
        need(count, "count");
        call.nowhere();
        std::shared_ptr<Graph> found = call.sim.graphs.get(graph);
        if (nodes) {
            make_node_handles(call, *found);
            size_t given = std::min(*count, found->handles.size());
            std::copy_n(found->handles.begin(), given, nodes);
            *count = given;
        } else {
            *count = found->nodes.size();
        }
    });
}

CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type) {
    return driver_call("cuGraphNodeGetType", [&](Call &call) {
        need(type, "type");
        call.nowhere();
        *type = (CUgraphNodeType)*call.sim.graph_nodes.get(node);
    });
}

CUresult cuGraphExecDestroy(CUgraphExec executable) {
    return driver_call("cuGraphExecDestroy", [&](Call &call) {
        call.nowhere();
        call.sim.graph_execs.get(executable);
        call.sim.graph_execs.remove(executable);
    });
}

CUresult cuGraphDestroy(CUgraph graph) {
    return driver_call("cuGraphDestroy", [&](Call &call) {
        call.nowhere();
        for (CUgraphNode handle : call.sim.graphs.get(graph)->handles) call.sim.graph_nodes.remove(handle);
        call.sim.graphs.remove(graph);
    });
}
