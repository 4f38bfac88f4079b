/**
 * Functions of OpenSSL and zstd that Node's own executable exports. Pointers and sizes are plain
 * numbers (addresses below 2^53). Signatures: OpenSSL 3 `EVP_EncryptInit(3)`, `SHA256(3)`, crypto/poly1305.h; zstd.h.
 */
import koffi from "koffi";

type Call = (...args: number[]) => number;

export interface NodeExports {
  readonly sha256: Call;
  readonly sha256Init: Call;
  readonly sha256Update: Call;
  readonly sha256Final: Call;
  /** Hash whole blocks; undefined where the executable does not show them. See sha256-lanes.ts. */
  readonly sha256Blocks: Call | undefined;
  readonly sha256Lanes: Call | undefined;
  readonly cipherContextNew: Call;
  readonly encryptInit: Call;
  readonly encryptUpdate: Call;
  readonly aes256Ctr: Call;
  readonly aes128Ecb: Call;
  readonly poly1305ContextSize: Call;
  readonly poly1305Init: Call;
  readonly poly1305Update: Call;
  readonly poly1305Final: Call;
  readonly createCompressor: Call;
  readonly compress: Call;
  readonly setCompressor: Call;
  readonly compressStream: Call;
  readonly freeCompressor: Call;
  readonly createDecompressor: Call;
  readonly decompress: Call;
  readonly setDecompressor: Call;
  readonly decompressStream: Call;
  readonly freeDecompressor: Call;
}

/** Binds the functions; throws where the executable does not export them, but for those that may be undefined. */
export function bindNodeExports(): NodeExports {
  const executable = koffi.load(null);
  const pointer = "int64";
  const bind = (name: string, result: string, parameters: string[]): Call =>
    executable.func(name, result, parameters) as unknown as Call;
  const bindIfThere: (...signature: Parameters<typeof bind>) => Call | undefined = (
    ...signature
  ) => {
    try {
      return bind(...signature);
    } catch {
      // Internal names of OpenSSL: other builds may hide them or, for other processors, lack them.
      return undefined;
    }
  };
  return {
    sha256: bind("SHA256", pointer, [pointer, pointer, pointer]),
    sha256Init: bind("SHA256_Init", "int", [pointer]),
    sha256Update: bind("SHA256_Update", "int", [pointer, pointer, pointer]),
    sha256Final: bind("SHA256_Final", "int", [pointer, pointer]),
    sha256Blocks: bindIfThere("sha256_block_data_order", "void", [pointer, pointer, pointer]),
    sha256Lanes: bindIfThere("sha256_multi_block", "void", [pointer, pointer, "int"]),
    cipherContextNew: bind("EVP_CIPHER_CTX_new", pointer, []),
    encryptInit: bind("EVP_EncryptInit_ex", "int", [pointer, pointer, pointer, pointer, pointer]),
    encryptUpdate: bind("EVP_EncryptUpdate", "int", [pointer, pointer, pointer, pointer, "int"]),
    aes256Ctr: bind("EVP_aes_256_ctr", pointer, []),
    aes128Ecb: bind("EVP_aes_128_ecb", pointer, []),
    poly1305ContextSize: bind("Poly1305_ctx_size", pointer, []),
    poly1305Init: bind("Poly1305_Init", "void", [pointer, pointer]),
    poly1305Update: bind("Poly1305_Update", "void", [pointer, pointer, pointer]),
    poly1305Final: bind("Poly1305_Final", "void", [pointer, pointer]),
    createCompressor: bind("ZSTD_createCCtx", pointer, []),
    compress: bind("ZSTD_compressCCtx", pointer, [
      pointer,
      pointer,
      pointer,
      pointer,
      pointer,
      "int",
    ]),
    setCompressor: bind("ZSTD_CCtx_setParameter", pointer, [pointer, "int", "int"]),
    compressStream: bind("ZSTD_compressStream2", pointer, [pointer, pointer, pointer, "int"]),
    freeCompressor: bind("ZSTD_freeCCtx", pointer, [pointer]),
    createDecompressor: bind("ZSTD_createDCtx", pointer, []),
    decompress: bind("ZSTD_decompressDCtx", pointer, [pointer, pointer, pointer, pointer, pointer]),
    setDecompressor: bind("ZSTD_DCtx_setParameter", pointer, [pointer, "int", "int"]),
    decompressStream: bind("ZSTD_decompressStream", pointer, [pointer, pointer, pointer]),
    freeDecompressor: bind("ZSTD_freeDCtx", pointer, [pointer]),
  };
}
