import FacetCUDA
import FacetTensor
import Testing

@Suite("Cards and links are measured")
struct SpeedTrialTests {
    @Test("every figure is there, on unlike cards, with little memory too", arguments: [4, 30])
    func figures(megabytes: Int) throws {
        let machine = try SimulatedCards.machine(
            memoryMiB: [120, 100], capabilities: ["9.0", "7.5"], links: #"{ "peer": "none" }"#)
        try SimulatedMachine.run(machine) { machine in
            let cards = try SimulatedCards.open(
                machine, cards: [0, 1], budgets: [megabytes << 20, megabytes << 20])
            for dtype in [DType.bfloat16, .float16] {
                let trial = SpeedTrial(cards, dtype: dtype, least: .microseconds(200))
                for index in 0..<2 {
                    let speed = try trial.card(index)
                    for figure in [speed.flops, speed.bandwidth, speed.uploadBandwidth] {
                        #expect(figure > 0 && figure.isFinite)
                    }
                }
                let link = try trial.link(from: 0, to: 1)
                #expect(link.latency > 0 && link.latency < 1 && link.bandwidth > 0 && link.bandwidth.isFinite)
            }
            #expect(cards.backends.allSatisfy { $0.memoryUse?.usedByteCount == 0 })
        }
    }

    @Test("a slow link is measured to be slow")
    func slowLink() throws {
        let links = #"{ "peer": "ok", "delay_us": 30000 }"#
        try SimulatedMachine.run(SimulatedCards.machine(memoryMiB: [100, 100], links: links)) { machine in
            let cards = try SimulatedCards.open(machine, cards: [0, 1], budgets: [8 << 20, 8 << 20])
            let link = try SpeedTrial(cards, dtype: .bfloat16, least: .microseconds(200)).link(from: 0, to: 1)
            #expect(link.latency >= 0.02)
        }
    }

    @Test("a card that fails in the trial says so")
    func failure() throws {
        let machine = try SimulatedCards.machine(memoryMiB: [100])
        let cards = try SimulatedCards.open(machine, cards: [0], budgets: [8 << 20])
        try machine.fail("run:kernel", "CUDA_ERROR_ECC_UNCORRECTABLE")
        #expect(throws: TensorError.self) { try SpeedTrial(cards, dtype: .bfloat16).card(0) }
    }
}
