// Stream capture and graphs.
#include "check.h"

CHECK(replay, "a captured graph does nothing until it is launched, and the same each time") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    CUdeviceptr values = allocate(64);
    CUfunction add_one = function("add_one");
    int count = 16, *results = (int *)pinned(64);
    OK(cuMemsetD32Async(values, 0, 16, stream));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    OK(launch(add_one, stream, {&values, &count}));
    OK(launch(add_one, stream, {&values, &count}));
    OK(cuMemcpyDtoHAsync_v2(results, values, 64, stream));
    CUgraph graph;
    OK(cuStreamEndCapture(stream, &graph));
    CUgraphExec executable;
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cuGraphUpload(executable, stream));
    for (int round = 1; round <= 3; ++round) {
        OK(cuGraphLaunch(executable, stream));
        OK(cuStreamSynchronize(stream));
        REQUIRE(results[15] == 2 * round);
    }
    CUgraphNode nodes[3];
    CUgraphNodeType type;
    size_t node_count = 0;
    OK(cuGraphGetNodes(graph, nullptr, &node_count));
    REQUIRE(node_count == 3);
    OK(cuGraphGetNodes(graph, nodes, &node_count));
    OK(cuGraphNodeGetType(nodes[0], &type));
    REQUIRE(type == CU_GRAPH_NODE_TYPE_KERNEL);
    OK(cuGraphNodeGetType(nodes[2], &type));
    REQUIRE(type == CU_GRAPH_NODE_TYPE_MEMCPY);
    OK(cuGraphDestroy(graph));
    OK(cuGraphExecDestroy(executable));
    RETURNS(CUDA_ERROR_INVALID_HANDLE, cuGraphLaunch(executable, stream));
    REQUIRE(cudasim_finding_count() == 0);
}

// a forks to b, both add to their own half, b joins a, which copies one half to the other.
static CUgraph fork_and_join(CUstream a, CUstream b, CUdeviceptr values, bool joins, CUresult expected) {
    CUevent forked = new_event(), joined = new_event();
    CUfunction add_one = function("add_one"), copy_to = function("copy_to");
    CUdeviceptr half = values + 32;
    int count = 8;
    OK(cuStreamBeginCapture_v2(a, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuEventRecord(forked, a));
    OK(cuStreamWaitEvent(b, forked, 0));
    OK(launch(add_one, a, {&values, &count}));
    OK(launch(add_one, b, {&half, &count}));
    OK(launch(add_one, b, {&half, &count}));
    CUstreamCaptureStatus status;
    OK(cuStreamIsCapturing(b, &status));
    REQUIRE(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
    OK(cuEventRecord(joined, b));
    if (joins) OK(cuStreamWaitEvent(a, joined, 0));
    OK(launch(copy_to, a, {&values, &half, &count}));
    CUgraph graph = nullptr;
    RETURNS(expected, cuStreamEndCapture(a, &graph));
    OK(cuStreamIsCapturing(b, &status));
    REQUIRE(status == CU_STREAM_CAPTURE_STATUS_NONE);
    return graph;
}

CHECK(fork_join, "a capture forks over streams and joins, in every order") {
    for (unsigned seed = 0; seed < 8; ++seed) {
        use(test_machine(1));
        cudasim_set_order(1, seed);
        start();
        CUstream a = new_stream(), b = new_stream();
        CUdeviceptr values = allocate(64);
        CUgraph graph = fork_and_join(a, b, values, true, CUDA_SUCCESS);
        CUgraphExec executable;
        OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
        OK(cuMemsetD32Async(values, 5, 16, a));
        OK(cuGraphLaunch(executable, a));
        OK(cuStreamSynchronize(a));
        int results[16];
        OK(cuMemcpyDtoH_v2(results, values, 64));
        REQUIRE(results[0] == 7 && results[15] == 7);
    }
}

CHECK(unjoined, "a fork that does not join is refused") {
    use(test_machine(1));
    start();
    CUstream a = new_stream(), b = new_stream();
    fork_and_join(a, b, allocate(64), false, CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
}

CHECK(over_devices, "a capture spans devices") {
    use(test_machine(2));
    CUcontext second = start(1);
    CUdeviceptr there = allocate(64);
    CUstream b = new_stream();
    CUevent done = new_event();
    CUfunction add_there = function("add_one");
    CUcontext first = start(0);
    CUdeviceptr here = allocate(64);
    CUstream a = new_stream();
    CUevent begun = new_event();
    int count = 16;
    OK(cuStreamBeginCapture_v2(a, CU_STREAM_CAPTURE_MODE_RELAXED));
    OK(cuMemcpyPeerAsync(there, second, here, first, 64, a));
    OK(cuEventRecord(begun, a));
    OK(cuCtxSetCurrent(second));
    OK(cuStreamWaitEvent(b, begun, 0));
    OK(launch(add_there, b, {&there, &count}));
    OK(cuEventRecord(done, b));
    OK(cuCtxSetCurrent(first));
    OK(cuStreamWaitEvent(a, done, 0));
    OK(cuMemcpyPeerAsync(here, first, there, second, 64, a));
    CUgraph graph;
    CUgraphExec executable;
    OK(cuStreamEndCapture(a, &graph));
    OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
    OK(cuMemsetD32Async(here, 1, 16, a));
    OK(cuGraphLaunch(executable, a));
    OK(cuGraphLaunch(executable, a));
    OK(cuStreamSynchronize(a));
    int results[16];
    OK(cuMemcpyDtoH_v2(results, here, 64));
    REQUIRE(results[7] == 3);
}

// Begins a capture, makes a call that it forbids, and ends it.
static void spoils(CUstream stream, CUresult code, CUresult result) {
    RETURNS(code, result);
    CUgraph graph;
    RETURNS(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cuStreamEndCapture(stream, &graph));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
}

CHECK(forbidden, "calls that a capture forbids spoil it") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream(), other = new_stream(), blocking;
    OK(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
    CUevent outside = new_event(), inside = new_event();
    CUdeviceptr address = allocate(64), more;
    CUgraph graph;
    OK(cuEventRecord(outside, other));
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    spoils(stream, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamSynchronize(stream));
    spoils(stream, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamQuery(stream));
    spoils(stream, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuMemAlloc_v2(&more, 64));
    spoils(stream, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuCtxSynchronize());
    spoils(stream, CUDA_ERROR_STREAM_CAPTURE_ISOLATION, cuStreamWaitEvent(stream, outside, 0));
    OK(cuEventRecord(inside, stream));
    spoils(stream, CUDA_ERROR_CAPTURED_EVENT, cuEventSynchronize(inside));
    OK(cuStreamEndCapture(stream, &graph));
    RETURNS(CUDA_ERROR_ILLEGAL_STATE, cuStreamEndCapture(stream, &graph));
    RETURNS(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamBeginCapture_v2(nullptr, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuStreamBeginCapture_v2(blocking, CU_STREAM_CAPTURE_MODE_RELAXED));
    RETURNS(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, cuMemsetD8Async(address, 0, 64, nullptr));
    RETURNS(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cuStreamEndCapture(blocking, &graph));
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    REQUIRE(mode == CU_STREAM_CAPTURE_MODE_GLOBAL);
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemAlloc_v2(&more, 64));
    OK(cuThreadExchangeStreamCaptureMode(&mode));
    OK(cuStreamEndCapture(stream, &graph));
}

static CUgraph capture_fill(CUstream stream, CUdeviceptr address, unsigned value, bool twice) {
    CUgraph graph;
    OK(cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(cuMemsetD32Async(address, value, 1, stream));
    if (twice) OK(cuMemsetD32Async(address, value, 1, stream));
    OK(cuStreamEndCapture(stream, &graph));
    return graph;
}

CHECK(update, "an executable graph takes new parameters of the same shape, and no other") {
    use(test_machine(1));
    start();
    CUstream stream = new_stream();
    CUdeviceptr address = allocate(4);
    CUgraphExec executable;
    CUgraphExecUpdateResultInfo info;
    OK(cuGraphInstantiateWithFlags(&executable, capture_fill(stream, address, 1, false), 0));
    OK(cuGraphExecUpdate_v2(executable, capture_fill(stream, address, 2, false), &info));
    REQUIRE(info.result == CU_GRAPH_EXEC_UPDATE_SUCCESS);
    OK(cuGraphLaunch(executable, stream));
    unsigned word;
    OK(cuStreamSynchronize(stream));
    OK(cuMemcpyDtoH_v2(&word, address, 4));
    REQUIRE(word == 2);
    CUgraph longer = capture_fill(stream, address, 3, true);
    RETURNS(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, cuGraphExecUpdate_v2(executable, longer, &info));
    REQUIRE(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
}
