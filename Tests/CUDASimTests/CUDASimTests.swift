import CUDASimChecks
import Testing

/// The checks of the simulated CUDA driver.
///
/// There is one simulator in a process, so they run one after the other.
@Suite("The simulated CUDA driver", .serialized)
struct CUDASimTests {
    @Test("keeps what it promises", arguments: 0..<cudasim_check_count())
    func check(index: UInt32) {
        let problem = cudasim_check_run(index).map { String(cString: $0) }
        #expect(problem == nil, "\(String(cString: cudasim_check_name(index)))")
    }
}
