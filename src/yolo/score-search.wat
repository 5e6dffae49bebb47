;; The search for the few scores of a picture that pass a threshold, 64 bytes at a time.
;; A function looks at the blocks of 64 bytes from $at on, as long as they begin before $end, and gives the address of the first one in
;; which something passes; an address from $end on if there is none. The last block may reach beyond $end.
(module
  (import "host" "memory" (memory 1 65536))

  ;; Bytes above $limit (0..254).
  (func (export "bytesAbove") (param $at i32) (param $end i32) (param $limit i32) (result i32)
    (local $limits v128)
    (local.set $limits (i8x16.splat (local.get $limit)))
    (block $found
      (loop $blocks
        (br_if $found (i32.ge_u (local.get $at) (local.get $end)))
        (br_if $found (v128.any_true (i8x16.gt_u
          (i8x16.max_u
            (i8x16.max_u
              (v128.load offset=0 align=1 (local.get $at)) (v128.load offset=16 align=1 (local.get $at)))
            (i8x16.max_u
              (v128.load offset=32 align=1 (local.get $at)) (v128.load offset=48 align=1 (local.get $at))))
          (local.get $limits))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $blocks)))
    (local.get $at))

  ;; float32 numbers of at least $threshold; NaN is none.
  (func (export "floatsFrom") (param $at i32) (param $end i32) (param $threshold f32) (result i32)
    (local $thresholds v128)
    (local.set $thresholds (f32x4.splat (local.get $threshold)))
    (block $found
      (loop $blocks
        (br_if $found (i32.ge_u (local.get $at) (local.get $end)))
        (br_if $found (v128.any_true (v128.or
          (v128.or
            (f32x4.ge (v128.load offset=0 align=1 (local.get $at)) (local.get $thresholds))
            (f32x4.ge (v128.load offset=16 align=1 (local.get $at)) (local.get $thresholds)))
          (v128.or
            (f32x4.ge (v128.load offset=32 align=1 (local.get $at)) (local.get $thresholds))
            (f32x4.ge (v128.load offset=48 align=1 (local.get $at)) (local.get $thresholds))))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $blocks)))
    (local.get $at)))
