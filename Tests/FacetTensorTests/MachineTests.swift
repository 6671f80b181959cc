import FacetTensor
import Testing

@Suite("The machine")
struct MachineTests {
    @Test("the portable kernels run everywhere and the best set is supported")
    func instructionSets() {
        #expect(InstructionSet.portable.isSupported)
        #expect(InstructionSet.best.isSupported)
    }

    @Test("a set that the processor lacks is refused by name")
    func unsupported() {
        for set in InstructionSet.allCases where !set.isSupported {
            #expect(throws: TensorError.unsupportedInstructionSet(requested: set, best: .best)) {
                _ = try CPUBackend(instructionSet: set)
            }
        }
    }

    @Test("features name the processor and count at least one thread")
    func features() throws {
        let features = CPUFeatures()
        #expect(features.processorCount >= 1)
        #expect(!features.modelName.isEmpty)
        #expect(features.description.contains(features.instructionSet.rawValue))
        #expect(try CPUBackend().threadCount == features.processorCount)
    }

    @Test("measured limits are those of a computer")
    func limits() throws {
        let backend = try CPUBackend(threadCount: 2)
        let limits = try MachineLimits.measure(backend)
        #expect((1e8...1e15).contains(limits.float32Rate))
        #expect((1e7...1e14).contains(limits.readRate))
        #expect((limits.bfloat16Rate != nil) == [.avx512bf16, .neonbf16].contains(backend.instructionSet))
    }
}
